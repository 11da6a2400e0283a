// SHA-256 (FIPS 180-4) of a file, in hexadecimal.
#pragma once

#include <filesystem>
#include <string>

namespace edgekit {

std::string sha256_of(const std::filesystem::path& path);

}  // namespace edgekit
