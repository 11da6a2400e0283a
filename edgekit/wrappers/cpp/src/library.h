// A shared library that is loaded while the program runs.
#pragma once

#include <filesystem>
#include <string>

namespace edgekit {

class Library {
  public:
    // Throws std::runtime_error with the system's reason. A library is never unloaded: its threads may still run.
    explicit Library(const std::filesystem::path& path);

    // What is linked into this program or loaded with it, as an app on iOS has its engines.
    static Library linked();
    bool has(const char* name) const { return symbol(name) != nullptr; }

    // nullptr where the library has no such function.
    template <typename Function>
    Function find(const char* name) const {
        return reinterpret_cast<Function>(symbol(name));
    }

    std::string file_of(const char* name) const;  // where a function was loaded from; empty where nobody tells

  private:
    Library() = default;
    void* symbol(const char* name) const;

    void* handle_ = nullptr;
};

std::filesystem::path own_folder();  // of the file that this code is in: a library, or the program

}  // namespace edgekit
