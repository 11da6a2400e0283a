#include "pages.h"

#include <vector>

#ifdef __linux__
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace fs = std::filesystem;

namespace edgekit {

#ifdef __linux__

namespace {

struct File {
    int handle;
    explicit File(const fs::path& path) : handle(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
    ~File() {
        if (handle >= 0) close(handle);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
};

// Pages of an open file that lie in memory (mincore(2)); -1 where the system does not tell.
long resident(int handle, size_t size, size_t pages) {
    void* mapped = mmap(nullptr, size, PROT_READ, MAP_SHARED, handle, 0);  // mapped, not touched: this loads nothing
    if (mapped == MAP_FAILED) return -1;
    std::vector<unsigned char> states(pages);
    const bool failed = mincore(mapped, size, states.data()) != 0;
    munmap(mapped, size);
    long count = 0;
    for (unsigned char state : states) count += state & 1;
    return failed ? -1 : count;
}

}  // namespace

std::string evict(const fs::path& folder) {
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_t left = 0, total = 0;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const size_t size = entry.is_regular_file() ? entry.file_size() : 0;
        if (!size) continue;
        const File file(entry.path());
        posix_fadvise(file.handle, 0, 0, POSIX_FADV_DONTNEED);
        const size_t pages = (size + page - 1) / page;
        const long here = resident(file.handle, size, pages);
        if (here < 0) return "warm: the system does not tell what it holds";
        left += static_cast<size_t>(here);
        total += pages;
    }
    if (!left) return "cold";
    return "warm: " + std::to_string(left) + " of " + std::to_string(total) + " pages are held by the system";
}

#else

std::string evict(const fs::path&) { return "warm: not evicted on this system"; }

#endif

}  // namespace edgekit
