// JSON that means one thing to every parser that may read it after this one; strict.py says which differ.
#pragma once

#include <filesystem>
#include <string>

#include "json.h"

namespace edgekit {

constexpr size_t MAX_JSON = 64 << 20;  // bytes

// names: the keys are names that a program knows, not a vocabulary: two that differ by case alone are refused, and so is
// a zero byte in a text. Both throw std::runtime_error: one line, why.
void check_json(const std::string& text, bool names, size_t max_bytes = MAX_JSON);
Json parse_json(const std::string& text, bool names, size_t max_bytes = MAX_JSON);

// At most max_bytes + 1 of a file; throws Refused where it cannot be read.
std::string read_bytes(const std::filesystem::path& path, size_t max_bytes = MAX_JSON);

}  // namespace edgekit
