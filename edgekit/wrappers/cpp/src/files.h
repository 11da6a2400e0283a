// Small text files, as /proc and /sys have them.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace edgekit {

// Its text without white space and the zero byte that device trees end with; absent where there is none to be read.
std::optional<std::string> read_text(const std::filesystem::path& path);
std::optional<double> read_number(const std::filesystem::path& path);  // a whole number
std::vector<std::string> lines(const std::string& text);

// "Key: value" lines by key; of several with one key the first.
std::map<std::string, std::string> fields(const std::string& text);

// The named "Key:  123 kB" line of a file, in kB.
std::optional<double> kilobytes(const std::map<std::string, std::string>& fields, const std::string& key);

// The folders of `folder` whose names begin with `prefix`, sorted.
std::vector<std::filesystem::path> folders(const std::filesystem::path& folder, const std::string& prefix);

}  // namespace edgekit
