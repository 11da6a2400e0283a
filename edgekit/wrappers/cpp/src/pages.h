// The operating system's page cache: put a model's files out of it, and prove that they are out (Linux, Android).
#pragma once

#include <filesystem>
#include <string>

namespace edgekit {

// Ask the kernel to forget the pages of the files below a folder: "cold" when none is left, else why it may be warm.
std::string evict(const std::filesystem::path& folder);

}  // namespace edgekit
