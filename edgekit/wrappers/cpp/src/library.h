// A shared library that is loaded while the program runs.
#pragma once

#include <filesystem>
#include <string>

namespace edgekit {

class Library {
  public:
    // Throws std::runtime_error with the system's reason. A library is never unloaded: its threads may still run.
    explicit Library(const std::filesystem::path& path);

    // nullptr where the library has no such function.
    template <typename Function>
    Function find(const char* name) const {
        return reinterpret_cast<Function>(symbol(name));
    }

  private:
    void* symbol(const char* name) const;

    void* handle_;
};

std::filesystem::path own_folder();  // of this program's file

}  // namespace edgekit
