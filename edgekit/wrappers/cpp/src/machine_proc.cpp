#ifndef __APPLE__  // machine_apple.cpp

#include "machine.h"

#include <algorithm>
#include <sstream>
#include <thread>

#include "files.h"
#include "host.h"
#include "words.h"

#ifndef _WIN32
#include <sys/utsname.h>
#include <unistd.h>
#endif

namespace fs = std::filesystem;

namespace edgekit {
namespace {

const std::vector<std::string> VIRTUAL = {"kvm",      "qemu",  "vmware", "virtualbox", "bochs", "virtual machine",
                                          "goldfish", "ranchu"};
// How ONNX Runtime's CPU kernels differ: by the widest of these that the CPU has (onnxruntime/core/mlas).
const std::vector<std::pair<std::string, std::string>> X86 = {
    {"avx512_vnni", "x86_64-avx512-vnni"}, {"avx_vnni", "x86_64-avx2-vnni"}, {"avx512f", "x86_64-avx512"}};
const std::vector<std::pair<std::string, std::string>> ARM = {{"i8mm", "aarch64-i8mm"}, {"asimddp", "aarch64-dotprod"}};

std::optional<std::string> present(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
}

std::optional<std::string> first_of(const std::vector<std::optional<std::string>>& texts) {
    const auto found = std::find_if(texts.begin(), texts.end(), [](const auto& one) { return one.has_value(); });
    return found == texts.end() ? std::nullopt : *found;
}

std::optional<std::string> field(const std::map<std::string, std::string>& fields, const std::string& key) {
    const auto found = fields.find(key);
    return found == fields.end() ? std::nullopt : present(found->second);
}

std::string kernel_release() {
#ifdef _WIN32
    return "";
#else
    utsname system{};
    return uname(&system) == 0 ? system.release : "";
#endif
}

std::string os_version(const fs::path& root) {
    if (host_os() == "android") return "Android " + android_property("ro.build.version.release");
    for (const char* file : {"etc/os-release", "usr/lib/os-release"}) {
        for (const std::string& line : lines(read_text(root / file).value_or(""))) {
            if (line.rfind("PRETTY_NAME=", 0) != 0) continue;
            std::string value = line.substr(12);
            value.erase(std::remove(value.begin(), value.end(), '"'), value.end());
            return value;
        }
    }
    return host_os() == "linux" ? "Linux" : host_os();
}

double ticks_per_s() {
#ifdef _WIN32
    return 100;
#else
    return static_cast<double>(sysconf(_SC_CLK_TCK));
#endif
}

}  // namespace

Json Machine::facts() const {
    const auto cpu = cpuinfo();
    const auto product =
        first_of({present(android_property("ro.product.model")), read_text(sys_ / "class/dmi/id/product_name"),
                  read_text(proc_ / "device-tree/model")});
    const auto ram = kilobytes(fields(read_text(proc_ / "meminfo").value_or("")), "MemTotal");
    const std::string load = read_text(proc_ / "loadavg").value_or("");
    return {
        {"model", or_null(product)},
        {"cpu", or_null(first_of({field(cpu, "model name"), field(cpu, "hardware")}))},
        {"cores", std::thread::hardware_concurrency()},
        {"ram_mb", ram ? Json(static_cast<int64_t>(*ram) / 1024) : Json(nullptr)},
        {"os", host_os()},
        {"os_version", os_version(root_)},
        {"abi", host_abi()},
        {"soc", or_null(present(host_soc()))},
        {"kernel", kernel_release()},
        {"governor", or_null(read_text(sys_ / "devices/system/cpu/cpu0/cpufreq/scaling_governor"))},
        {"hypervisor", virtual_machine(product.value_or(""))},
        {"kernels", kernels()},
        {"temperature_c", or_null(temperature_c())},
        {"load_1m", load.empty() ? Json(nullptr) : Json(std::strtod(load.c_str(), nullptr))},
    };
}

std::string Machine::kernels() const {
    const std::vector<std::string> has_flags = flags();
    const auto& known = host_abi() == "aarch64" ? ARM : X86;
    for (const auto& [flag, family] : known) {
        if (std::count(has_flags.begin(), has_flags.end(), flag)) return family;
    }
    return host_abi();
}

std::optional<double> Machine::footprint_mb() const {
    const auto found = fields(read_text(proc_ / "self/smaps_rollup").value_or(""));
    const auto pss = kilobytes(found, "Pss");
    return pss ? std::optional((*pss + kilobytes(found, "SwapPss").value_or(0)) / 1024) : std::nullopt;
}

std::optional<double> Machine::peak_rss_mb() const {
    const auto peak = kilobytes(fields(read_text(proc_ / "self/status").value_or("")), "VmHWM");
    return peak ? std::optional(*peak / 1024) : std::nullopt;
}

std::optional<double> Machine::temperature_c() const {
    std::optional<double> hottest;
    for (const fs::path& zone : folders(sys_ / "class/thermal", "thermal_zone")) {
        const double value = read_number(zone / "temp").value_or(0);  // thousandths of a degree
        if (value > 0 && value < 150'000) hottest = std::max(hottest.value_or(0), value / 1000);
    }
    return hottest;
}

std::optional<double> Machine::clock_mhz() const {
    std::vector<double> found;
    for (const fs::path& cpu : folders(sys_ / "devices/system/cpu", "cpu")) {
        if (const auto khz = read_number(cpu / "cpufreq/scaling_cur_freq")) found.push_back(*khz / 1000);
    }
    if (found.empty()) return std::nullopt;
    std::sort(found.begin(), found.end());
    return (found[(found.size() - 1) / 2] + found[found.size() / 2]) / 2;
}

std::optional<double> Machine::busy_s() const {
    std::istringstream line(read_text(proc_ / "stat").value_or(""));
    std::string name;
    line >> name;
    if (name != "cpu") return std::nullopt;
    double busy = 0, ticks = 0;
    for (int at = 0; at < 8 && line >> ticks; ++at) {  // guest time, after these, is already in user time
        if (at != 3 && at != 4) busy += ticks;         // idle and iowait are no work (proc(5))
    }
    return busy / ticks_per_s();
}

std::map<std::string, std::string> Machine::cpuinfo() const {
    std::map<std::string, std::string> found;
    for (const auto& [key, value] : fields(read_text(proc_ / "cpuinfo").value_or(""))) found.emplace(lower(key), value);
    return found;
}

std::vector<std::string> Machine::flags() const {
    const auto cpu = cpuinfo();
    std::istringstream words(first_of({field(cpu, "flags"), field(cpu, "features")}).value_or(""));
    std::vector<std::string> found;
    for (std::string word; words >> word;) found.push_back(word);
    return found;
}

bool Machine::virtual_machine(const std::string& product) const {
    const std::vector<std::string> has_flags = flags();
    const std::string name = lower(product);
    if (std::count(has_flags.begin(), has_flags.end(), "hypervisor")) return true;
    if (std::any_of(VIRTUAL.begin(), VIRTUAL.end(), [&](const auto& word) { return name.find(word) != name.npos; })) {
        return true;
    }
    // A program of one architecture on a kernel of another is emulated; ARM's 64-bit CPUs run 32-bit programs
    // themselves.
    const auto kernel = read_text(proc_ / "sys/kernel/arch");
    return kernel && abi(*kernel) != host_abi() && !(abi(*kernel) == "aarch64" && host_abi() == "armv7");
}

}  // namespace edgekit

#endif
