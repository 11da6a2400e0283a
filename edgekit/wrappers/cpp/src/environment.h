// Environment variables of this process, which the engines read when they are loaded.
#pragma once

#include <cstdlib>
#include <string>

namespace edgekit {

inline void set_environment(const char* name, const std::string& value) {
#ifdef _WIN32
    _putenv_s(name, value.c_str());
#else
    setenv(name, value.c_str(), 1);
#endif
}

// Empty where it is not set.
inline std::string environment(const char* name) {
    const char* const value = std::getenv(name);
    return value ? value : "";
}

}  // namespace edgekit
