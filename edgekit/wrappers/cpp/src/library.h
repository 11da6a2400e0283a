// A shared library that is loaded while the program runs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace edgekit {

class Library {
  public:
    // Throws std::runtime_error with the system's reason. A library is never unloaded: its threads may still run.
    explicit Library(const std::filesystem::path& path);

    // What is linked into this program or loaded with it, as an app on iOS has its engines.
    static Library linked();
    // As the system finds it by a name, or by a path; none where it does not. Windows: only what is loaded already.
    static std::optional<Library> named(const std::string& name);
    bool has(const char* name) const { return symbol(name) != nullptr; }

    // nullptr where the library has no such function.
    template <typename Function>
    Function find(const char* name) const {
        return reinterpret_cast<Function>(symbol(name));
    }

    std::string file_of(const char* name) const;  // where a function was loaded from; empty where nobody tells
    // The one that a function lies in, and what that was linked with; itself where nobody tells.
    Library around(const char* name) const;

  private:
    Library() = default;
    void* symbol(const char* name) const;

    void* handle_ = nullptr;
};

// The files of what is loaded into this process that have such a function themselves; empty where nobody tells (Windows,
// Apple).
std::vector<std::string> files_with(const char* function);

std::filesystem::path own_folder();  // of the file that this code is in: a library, or the program

}  // namespace edgekit
