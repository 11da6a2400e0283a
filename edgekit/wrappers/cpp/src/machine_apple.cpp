#ifdef __APPLE__

#include <TargetConditionals.h>
#include <mach/mach.h>
#include <sys/sysctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "host.h"
#include "machine.h"

// <notify.h>, which is a part of libSystem; these have had the same arguments since Mac OS X 10.3.
extern "C" uint32_t notify_register_check(const char* name, int* token);
extern "C" uint32_t notify_get_state(int token, uint64_t* state);

namespace edgekit {
namespace {

std::optional<std::string> text(const char* name) {
    char value[256] = {};
    size_t size = sizeof value - 1;
    if (sysctlbyname(name, value, &size, nullptr, 0) != 0 || !value[0]) return std::nullopt;
    return value;
}

std::optional<int64_t> integer(const char* name) {
    int64_t value = 0;  // little-endian: one of four bytes fills the lower half
    size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, nullptr, 0) == 0 ? std::optional(value) : std::nullopt;
}

std::optional<double> load_1m() {
    double loads[3];
    return getloadavg(loads, 3) > 0 ? std::optional(loads[0]) : std::nullopt;
}

// What the system tells its apps in ProcessInfo.thermalState, by the notification that is behind it
// (<libkern/OSThermalNotification.h>): on iOS 0 nominal, 10 light, 20 moderate, 30 heavy and more; on macOS 0 to 4.
std::optional<std::string> thermal_state() {
    int token = 0;
    uint64_t level = 0;
    if (notify_register_check("com.apple.system.thermalpressurelevel", &token) != 0) return std::nullopt;
    if (notify_get_state(token, &level) != 0) return std::nullopt;
    const uint64_t step = TARGET_OS_IPHONE ? 10 : 1;
    const char* const words[] = {"nominal", "fair", "serious", "critical"};
    return words[std::min<uint64_t>(level / step, 3)];
}

std::optional<task_vm_info_data_t> memory_of_task() {
    task_vm_info_data_t info{};
    mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
    auto* out = reinterpret_cast<task_info_t>(&info);
    return task_info(mach_task_self(), TASK_VM_INFO, out, &count) == KERN_SUCCESS ? std::optional(info) : std::nullopt;
}

}  // namespace

Json Machine::facts() const {
    utsname system{};
    uname(&system);
    const auto ram = integer("hw.memsize");
    const std::string version = text("kern.osproductversion").value_or("");
    return {
        {"model", or_null(text(TARGET_OS_IPHONE ? "hw.machine" : "hw.model"))},
        {"cpu", or_null(text("machdep.cpu.brand_string"))},
        {"cores", std::thread::hardware_concurrency()},
        {"ram_mb", ram ? Json(*ram / (1 << 20)) : Json(nullptr)},
        {"os", host_os()},
        {"os_version", (TARGET_OS_IPHONE ? "iOS " : "macOS ") + version},
        {"abi", host_abi()},
        {"soc", nullptr},
        {"kernel", system.release},
        {"governor", nullptr},
        {"hypervisor", TARGET_OS_SIMULATOR || integer("kern.hv_vmm_present").value_or(0) != 0},
        {"kernels", kernels()},
        {"temperature_c", or_null(temperature_c())},
        {"thermal_state", or_null(thermal_state())},
        {"load_1m", or_null(load_1m())},
    };
}

std::string Machine::kernels() const {
    const auto has_feature = [](const char* name) { return integer(name).value_or(0) != 0; };
    if (host_abi() == "aarch64") {
        if (has_feature("hw.optional.arm.FEAT_I8MM")) return "aarch64-i8mm";
        return has_feature("hw.optional.arm.FEAT_DotProd") ? "aarch64-dotprod" : "aarch64";
    }
    if (has_feature("hw.optional.avx512vnni")) return "x86_64-avx512-vnni";
    return has_feature("hw.optional.avx512f") ? "x86_64-avx512" : host_abi();
}

std::optional<double> Machine::footprint_mb() const {
    const auto info = memory_of_task();
    return info ? std::optional(static_cast<double>(info->phys_footprint) / (1 << 20)) : std::nullopt;
}

std::optional<double> Machine::peak_rss_mb() const {
    const auto info = memory_of_task();
    return info ? std::optional(static_cast<double>(info->resident_size_peak) / (1 << 20)) : std::nullopt;
}

std::optional<double> Machine::temperature_c() const { return std::nullopt; }  // apps are told thermal_state alone

std::optional<double> Machine::clock_mhz() const { return std::nullopt; }  // no app is told

std::optional<double> Machine::busy_s() const {
    host_cpu_load_info_data_t load{};
    mach_msg_type_number_t count = HOST_CPU_LOAD_INFO_COUNT;
    auto* out = reinterpret_cast<host_info_t>(&load);
    if (host_statistics(mach_host_self(), HOST_CPU_LOAD_INFO, out, &count) != KERN_SUCCESS) return std::nullopt;
    const double ticks = static_cast<double>(load.cpu_ticks[CPU_STATE_USER]) + load.cpu_ticks[CPU_STATE_SYSTEM] +
                         load.cpu_ticks[CPU_STATE_NICE];
    return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace edgekit

#endif
