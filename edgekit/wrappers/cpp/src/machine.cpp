#include "machine.h"

#include <algorithm>
#include <chrono>

#ifndef _WIN32
#include <sys/resource.h>
#endif

namespace edgekit {
namespace {

double own_cpu_s() {
#ifdef _WIN32
    return 0;
#else
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
#endif
}

}  // namespace

Watch::Watch(const Machine& machine) : machine_(machine), first_(counters()), last_(first_) {
    temperature_c_.push_back(or_null(machine_.temperature_c()));
    clock_mhz_.push_back(or_null(machine_.clock_mhz()));
}

void Watch::lap() {
    const Counters now = counters();
    at_s_.push_back(now.now_s - first_.now_s);
    other_cores_.push_back(others(last_, now));
    temperature_c_.push_back(or_null(machine_.temperature_c()));
    clock_mhz_.push_back(or_null(machine_.clock_mhz()));
    last_ = now;
}

Json Watch::report() const {
    return {{"seconds", last_.now_s - first_.now_s},     {"at_s", at_s_},
            {"other_cores_mean", others(first_, last_)}, {"other_cores", other_cores_},
            {"temperature_c", temperature_c_},           {"clock_mhz", clock_mhz_}};
}

Watch::Counters Watch::counters() const {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return {std::chrono::duration<double>(now).count(), own_cpu_s(), machine_.busy_s()};
}

Json Watch::others(const Counters& before, const Counters& after) {
    if (!before.busy_s || !after.busy_s || after.now_s <= before.now_s) return nullptr;
    const double used = (*after.busy_s - *before.busy_s) - (after.own_s - before.own_s);
    return std::max(0.0, used / (after.now_s - before.now_s));
}

}  // namespace edgekit
