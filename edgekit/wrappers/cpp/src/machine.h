// What this machine is and how it is doing: facts, memory of this process, load of others, temperature, clocks.
//
// Read from /proc and /sys (machine_proc.cpp), or asked of the kernel (machine_apple.cpp); what they do not tell is
// absent, never a guess.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "json.h"

namespace edgekit {

class Machine {
  public:
    // root: "/"; another folder with proc/ and sys/ below it plays another machine in tests (not on Apple's systems).
    explicit Machine(std::filesystem::path root) : proc_(root / "proc"), sys_(root / "sys"), root_(std::move(root)) {}

    Json facts() const;  // what tells one machine from another, without its name or its owner's

    // The family of CPU kernels that runs here: outputs of quantized models are alike within one, not between two.
    std::string kernels() const;

    // What this process adds to the memory in use, MB: PSS + swap, or Apple's phys_footprint, by which jetsam judges an
    // app. Takes milliseconds: never while timing.
    std::optional<double> footprint_mb() const;
    std::optional<double> peak_rss_mb() const;    // the largest resident set of this process so far
    std::optional<double> temperature_c() const;  // the hottest thermal zone
    std::optional<double> clock_mhz() const;      // the median clock of the CPUs

    // CPU seconds of the whole machine since it started.
    std::optional<double> busy_s() const;

  private:
    std::map<std::string, std::string> cpuinfo() const;  // keys in lower case; of several CPUs the first counts
    std::vector<std::string> flags() const;
    bool virtual_machine(const std::string& product) const;

    std::filesystem::path proc_, sys_, root_;
};

// Conditions during a measurement: one sample at each lap.
class Watch {
  public:
    explicit Watch(const Machine& machine);
    void lap();
    Json report() const;  // seconds, at_s, other_cores_mean, other_cores, temperature_c, clock_mhz

  private:
    struct Counters {
        double now_s, own_s;  // this process's CPU seconds
        std::optional<double> busy_s;
    };
    Counters counters() const;
    static Json others(const Counters& before, const Counters& after);  // cores' worth of CPU; null where not known

    const Machine& machine_;
    Json at_s_ = Json::array({0.0}), other_cores_ = Json::array();
    Json temperature_c_ = Json::array(), clock_mhz_ = Json::array();
    Counters first_, last_;
};

}  // namespace edgekit
