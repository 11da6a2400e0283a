#include "library.h"

#include <stdexcept>

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>
#else
#include <dlfcn.h>
#endif
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

namespace fs = std::filesystem;

namespace edgekit {

#ifdef _WIN32

Library::Library(const fs::path& path) : handle_(LoadLibraryExW(path.c_str(), nullptr, LOAD_WITH_ALTERED_SEARCH_PATH)) {
    if (!handle_) throw std::runtime_error("Windows error " + std::to_string(GetLastError()));
}

Library Library::linked() {
    Library own;
    own.handle_ = GetModuleHandleW(nullptr);
    return own;
}

void* Library::symbol(const char* name) const {
    return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(handle_), name));
}

fs::path own_folder() {
    wchar_t path[32768];
    GetModuleFileNameW(nullptr, path, 32768);
    return fs::path(path).parent_path();
}

#else

Library::Library(const fs::path& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (!handle_) throw std::runtime_error(dlerror());
}

Library Library::linked() {
    Library own;
    own.handle_ = RTLD_DEFAULT;
    return own;
}

void* Library::symbol(const char* name) const { return dlsym(handle_, name); }

fs::path own_folder() {
#ifdef __APPLE__
    char path[4096];
    uint32_t size = sizeof path;
    return _NSGetExecutablePath(path, &size) == 0 ? fs::path(path).parent_path() : fs::path();
#else
    std::error_code failed;
    return fs::read_symlink("/proc/self/exe", failed).parent_path();
#endif
}

#endif

}  // namespace edgekit
