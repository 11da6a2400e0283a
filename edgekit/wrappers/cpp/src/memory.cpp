#include "memory.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#ifdef __APPLE__
#include <TargetConditionals.h>
#if TARGET_OS_IPHONE
extern "C" size_t os_proc_available_memory(void);  // <os/proc.h>, since iOS 13
#endif
#endif
#ifdef _WIN32
#define NOMINMAX
#include <windows.h>

#include <psapi.h>
#endif
#ifdef __GLIBC__
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <vector>
#endif

namespace fs = std::filesystem;

namespace edgekit {

#if defined(__APPLE__) && TARGET_OS_IPHONE

Room room(const fs::path&) {
    const auto left = static_cast<int64_t>(os_proc_available_memory());
    return {left, left};
}

#elif defined(_WIN32)

namespace {

// What is left of the limits of this process's job. What the others of the job have is known by their peak alone, so at
// least so much is left.
std::optional<int64_t> left_in_job() {
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION job = {};
    PROCESS_MEMORY_COUNTERS_EX own = {};
    if (!QueryInformationJobObject(nullptr, JobObjectExtendedLimitInformation, &job, sizeof job, nullptr) ||
        !K32GetProcessMemoryInfo(GetCurrentProcess(), reinterpret_cast<PROCESS_MEMORY_COUNTERS*>(&own), sizeof own)) {
        return {};
    }
    std::optional<int64_t> least;
    const auto take = [&](DWORD flag, SIZE_T most, SIZE_T used) {
        if (!(job.BasicLimitInformation.LimitFlags & flag)) return;
        const int64_t left = static_cast<int64_t>(most) - static_cast<int64_t>(used);
        least = std::min(least.value_or(left), left);
    };
    take(JOB_OBJECT_LIMIT_PROCESS_MEMORY, job.ProcessMemoryLimit, own.PrivateUsage);
    take(JOB_OBJECT_LIMIT_JOB_MEMORY, job.JobMemoryLimit, job.PeakJobMemoryUsed);
    return least;
}

}  // namespace

Room room(const fs::path&) {
    MEMORYSTATUSEX machine = {};
    machine.dwLength = sizeof machine;
    if (!GlobalMemoryStatusEx(&machine)) return {{}, left_in_job()};
    return {static_cast<int64_t>(std::min(machine.ullAvailPhys, machine.ullAvailPageFile)), left_in_job()};
}

#else

namespace {

std::optional<int64_t> number_in(const fs::path& file) {
    std::ifstream text(file);
    int64_t value = 0;  // "max" is none
    return text >> value ? std::optional(value) : std::nullopt;
}

std::optional<int64_t> available(const fs::path& meminfo) {
    std::ifstream stream(meminfo);
    std::string line;
    while (std::getline(stream, line)) {
        std::istringstream words(line);
        std::string name;
        int64_t kilobytes = 0;
        if (words >> name >> kilobytes && name == "MemAvailable:") return kilobytes * 1024;
    }
    return {};
}

// The files of one version of cgroups; `cold`: in memory.stat, pages of files that go before anything else does.
struct Version {
    const char *controller, *folder, *most, *used, *cold;
};
constexpr Version VERSIONS[] = {
    {"", "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"},
    {"memory", "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"}};
constexpr int64_t NO_LIMIT = int64_t{1} << 60;  // version 1 says so by a number

// What this process's own line says, "12:cpu,memory:/a/b": the path of those of a controller.
std::optional<std::string> group_of(const fs::path& root, const std::string& controller) {
    std::ifstream stream(root / "proc/self/cgroup");
    std::string line;
    while (std::getline(stream, line)) {
        const size_t first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        if (controllers.find("," + controller + ",") == std::string::npos) continue;
        if (line.size() > second + 1) return line.substr(second + 2);
    }
    return {};
}

std::optional<int64_t> word_in(const fs::path& file, const std::string& wanted) {
    std::ifstream words(file);
    std::string name;
    int64_t value = 0;
    while (words >> name >> value) {
        if (name == wanted) return value;
    }
    return {};
}

// The least that is left of a limit of this process's cgroup and those above it; a container may not see its own folder.
std::optional<int64_t> left_in_cgroup(const fs::path& root) {
    std::optional<int64_t> least;
    for (const Version& version : VERSIONS) {
        const auto group = group_of(root, version.controller);
        if (!group) continue;
        const fs::path top = root / version.folder;
        for (fs::path at = top / *group;; at = at.parent_path()) {
            const auto most = number_in(at / version.most), used = number_in(at / version.used);
            if (most && used && *most < NO_LIMIT) {
                const int64_t cold = word_in(at / "memory.stat", version.cold).value_or(0);
                const int64_t left = *most - *used + std::min(cold, *used);
                least = std::min(least.value_or(left), left);
            }
            if (at == top || at == at.parent_path()) break;
        }
    }
    return least;
}

}  // namespace

Room room(const fs::path& root) { return {available(root / "proc/meminfo"), left_in_cgroup(root)}; }

#endif

#ifdef __GLIBC__
namespace {

// malloc_trim leaves the end of a thread's heap as it is, up to 64 MB where large blocks were freed before. So as much as
// was freed, and that, is taken in blocks, whose pages are given to the system.
void give_back_end_of_heap(int64_t freed) {
    constexpr size_t BLOCK = 1 << 20, END = 64, MOST = 4096;
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    std::vector<void*> blocks(std::min(static_cast<size_t>(freed) / BLOCK + END, MOST));
    for (void*& block : blocks) {
        block = std::malloc(BLOCK);
        if (!block) break;
        const size_t before = (page - reinterpret_cast<uintptr_t>(block) % page) % page;  // the first whole page
        madvise(static_cast<char*>(block) + before, (BLOCK - before) / page * page, MADV_DONTNEED);
    }
    for (void* block : blocks) std::free(block);
}

}  // namespace
#endif

void give_back_memory([[maybe_unused]] int64_t freed) {
#ifdef __GLIBC__
    give_back_end_of_heap(freed);
    malloc_trim(0);
#endif
}

}  // namespace edgekit
