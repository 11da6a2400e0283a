#include "library.h"

#include <stdexcept>

#ifdef _WIN32
#define NOMINMAX
#include <windows.h>
#else
#include <dlfcn.h>
#ifndef __APPLE__
#include <link.h>
#endif
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

std::optional<Library> Library::named(const std::string& name) {
    Library found;
    found.handle_ = GetModuleHandleW(fs::u8path(name).c_str());
    return found.handle_ ? std::optional(found) : std::nullopt;
}

void* Library::symbol(const char* name) const {
    return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(handle_), name));
}

namespace {

// Of the module that an address lies in.
fs::path file_at(const void* address) {
    HMODULE module = nullptr;
    const DWORD how = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    GetModuleHandleExW(how, static_cast<LPCWSTR>(address), &module);
    wchar_t path[32768];
    GetModuleFileNameW(module, path, 32768);
    return path;
}

}  // namespace

#else

Library::Library(const fs::path& path) : handle_(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (!handle_) throw std::runtime_error(dlerror());
}

Library Library::linked() {
    Library own;
    own.handle_ = RTLD_DEFAULT;
    return own;
}

std::optional<Library> Library::named(const std::string& name) {
    Library found;
    found.handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    return found.handle_ ? std::optional(found) : std::nullopt;
}

void* Library::symbol(const char* name) const { return dlsym(handle_, name); }

namespace {

// Of the module that an address lies in; what the system loaded as the program it may name without its folder.
fs::path file_at(const void* address) {
    Dl_info found{};
    if (!dladdr(address, &found) || !found.dli_fname) return {};
    std::error_code failed;
    const fs::path path = found.dli_fname;
#ifndef __APPLE__
    fs::path program = fs::read_symlink("/proc/self/exe", failed);
    if (path.filename() == program.filename() && !path.is_absolute()) return program;
#endif
    return fs::absolute(path, failed);
}

}  // namespace

#endif

std::string Library::file_of(const char* name) const {
    const void* address = symbol(name);
    return address ? file_at(address).u8string() : "";
}

Library Library::around(const char* name) const { return named(file_of(name)).value_or(*this); }

std::vector<std::string> files_with([[maybe_unused]] const char* function) {
    std::vector<std::string> found;
#if !defined(_WIN32) && !defined(__APPLE__)
    std::vector<std::string> loaded;
    const auto note = [](dl_phdr_info* info, size_t, void* to) {
        if (info->dlpi_name && *info->dlpi_name) static_cast<std::vector<std::string>*>(to)->emplace_back(info->dlpi_name);
        return 0;
    };
    dl_iterate_phdr(note, &loaded);
    for (const std::string& name : loaded) {
        void* const handle = dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
        if (!handle) continue;
        Dl_info lies{};  // it may be of what this one was linked with
        const void* const address = dlsym(handle, function);
        if (address && dladdr(address, &lies) && lies.dli_fname == name) found.push_back(file_at(address).u8string());
        dlclose(handle);
    }
#endif
    return found;
}

fs::path own_folder() {
    static const char here = 0;
    return file_at(&here).parent_path();
}

}  // namespace edgekit
