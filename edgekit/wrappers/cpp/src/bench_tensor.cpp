#include <algorithm>
#include <cmath>

#include "bench.h"
#include "goldens.h"
#include "refused.h"
#include "steady.h"

namespace edgekit {
namespace {

constexpr double UNIT_S = 0.05;  // a warm-up run lasts at least this long: single short runs jitter
constexpr double LAP_S = 1.0;    // conditions are sampled this often

// The feeds whose shapes are those of the first: the others are other workloads.
std::vector<Arrays> alike(std::vector<Arrays> found) {
    if (found.empty()) throw Refused("the bundle has no check inputs", "build the bundle again");
    const auto shapes = [](const Arrays& feed) {
        std::map<std::string, std::vector<int64_t>> all;
        for (const auto& [name, array] : feed) all[name] = array.shape;
        return all;
    };
    const auto first = shapes(found.front());
    found.erase(std::remove_if(found.begin(), found.end(), [&](const Arrays& feed) { return shapes(feed) != first; }),
                found.end());
    return found;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

}  // namespace

Json bench(const TensorBundle& bundle, const Arrays& inputs, const Json& plan, const Machine& machine,
           const Tell& tell) {
    const std::vector<Arrays> chosen = alike(feeds(inputs));
    for (const Arrays& feed : chosen) bundle.check(feed);
    std::vector<std::unique_ptr<Session::Call>> calls;
    calls.reserve(chosen.size());
    for (const Arrays& feed : chosen) calls.push_back(std::make_unique<Session::Call>(bundle.call(feed)));
    size_t turn = 0;
    const auto once = [&] {
        Session::Call& call = *calls[turn++ % calls.size()];
        const Stopwatch watch;
        call.run();
        return watch.seconds();
    };
    if (has(plan, "sustain_s")) {
        const auto lap = [&]() -> Samples {
            std::vector<double> seconds;
            const Stopwatch since;
            double spent = 0;
            while (spent < LAP_S) {
                seconds.push_back(once());
                spent = since.seconds();
            }
            return {{"throughput_ips", {static_cast<double>(seconds.size()) / spent}},
                    {"latency_ms", {median(seconds) * 1000}}};
        };
        return sustained(lap, plan.at("sustain_s").get<double>(), Json::object(), machine, tell);
    }
    tell("warming up");
    const double fastest = std::max(std::min(once(), once()), 1e-6);
    const auto per_unit = static_cast<int>(std::max(1.0, std::ceil(UNIT_S / fastest)));
    const auto unit = [&] {
        double seconds = 0;
        for (int at = 0; at < per_unit; ++at) seconds += once();
        return seconds;
    };
    const Json warm = warm_up(unit, plan.at("warmup"));
    const Json& rule = plan.at("runs");
    const auto least = rule.at("min").get<size_t>();
    const auto min_s = rule.at("min_s").get<double>(), max_s = rule.at("max_s").get<double>();
    Json phases = Json::array({memory("warm", machine)});
    std::vector<double> latency;
    Watch watch(machine);
    const Stopwatch since;
    double lap = 0, now = 0;
    do {
        latency.push_back(once() * 1000);
        now = since.seconds();
        if (now - lap >= LAP_S) {
            tell(std::to_string(latency.size()) + " runs");
            watch.lap();
            lap = now;
        }
    } while ((latency.size() < least || now < min_s) && now < max_s);
    watch.lap();
    phases.push_back(memory("measured", machine));
    return {{"samples", {{"latency_ms", latency}}},
            {"skipped", Json::object()},
            {"watch", watch.report()},
            {"warmup", warm},
            {"trials", latency.size()},
            {"memory", phases}};
}

}  // namespace edgekit
