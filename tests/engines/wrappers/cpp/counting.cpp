// What one library allocates, for a program that is started with this one in LD_PRELOAD (glibc): every call of malloc and
// its like whose caller lies in that library is counted. The library brings its C++ library inside, so `new` is its own.
#include <dlfcn.h>
#include <link.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
}

namespace {

std::atomic<uintptr_t> first{0}, last{0};
std::atomic<int64_t> calls{0}, bytes{0};

void note(const void* caller, size_t size) {
    const auto at = reinterpret_cast<uintptr_t>(caller);
    if (at < first || at >= last) return;
    ++calls;
    bytes += static_cast<int64_t>(size);
}

int look(dl_phdr_info* info, size_t, void* address) {
    for (int at = 0; at < info->dlpi_phnum; ++at) {
        const ElfW(Phdr)& part = info->dlpi_phdr[at];
        const uintptr_t begin = info->dlpi_addr + part.p_vaddr, end = begin + part.p_memsz;
        const auto inside = reinterpret_cast<uintptr_t>(address);
        if (part.p_type != PT_LOAD || !(part.p_flags & PF_X) || inside < begin || inside >= end) continue;
        last = end;
        first = begin;
        return 1;
    }
    return 0;
}

}  // namespace

extern "C" {

void* malloc(size_t size) {
    note(__builtin_return_address(0), size);
    return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
    note(__builtin_return_address(0), count * size);
    return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
    note(__builtin_return_address(0), size);
    return __libc_realloc(old, size);
}

// Counts from now on for the library that a function of it lies in.
int counting_begin(void* function) { return dl_iterate_phdr(look, function); }
int64_t counting_calls() { return calls; }
int64_t counting_bytes() { return bytes; }
}
