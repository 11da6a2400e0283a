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

// The least that is left of a limit of this process's cgroup and those above it.
std::optional<int64_t> left_in_cgroup(const fs::path& root) {
    std::ifstream stream(root / "proc/self/cgroup");
    std::string line, path;
    while (std::getline(stream, line)) {
        if (line.rfind("0::/", 0) == 0) path = line.substr(4);
    }
    const fs::path top = root / "sys/fs/cgroup";
    std::optional<int64_t> least;
    for (fs::path at = top / path;; at = at.parent_path()) {
        const auto most = number_in(at / "memory.max"), used = number_in(at / "memory.current");
        if (most && used) least = std::min(least.value_or(*most - *used), *most - *used);
        if (at == top || at == at.parent_path()) return least;
    }
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
