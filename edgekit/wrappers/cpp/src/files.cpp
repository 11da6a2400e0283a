#include "files.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>

#include "words.h"

namespace fs = std::filesystem;

namespace edgekit {

std::optional<std::string> read_text(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    const std::string text = trimmed({std::istreambuf_iterator<char>(stream), {}});
    const size_t end = text.find_last_not_of('\0');
    return end == std::string::npos ? std::nullopt : std::optional(text.substr(0, end + 1));
}

std::optional<double> read_number(const fs::path& path) {
    const std::string text = read_text(path).value_or("");
    const size_t begin = !text.empty() && text[0] == '-' ? 1 : 0;
    const bool whole =
        text.size() > begin && text.size() < 18 && text.find_first_not_of("0123456789", begin) == std::string::npos;
    return whole ? std::optional(static_cast<double>(std::stoll(text))) : std::nullopt;
}

std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> found;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) found.push_back(line);
    return found;
}

std::map<std::string, std::string> fields(const std::string& text) {
    std::map<std::string, std::string> found;
    for (const std::string& line : lines(text)) {
        const size_t colon = line.find(':');
        if (colon != std::string::npos) found.emplace(trimmed(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
    }
    return found;
}

std::optional<double> kilobytes(const std::map<std::string, std::string>& fields, const std::string& key) {
    const auto found = fields.find(key);
    if (found == fields.end()) return std::nullopt;
    try {
        return std::stod(found->second);
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

std::vector<fs::path> folders(const fs::path& folder, const std::string& prefix) {
    std::vector<fs::path> found;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(folder, failed)) {
        if (entry.path().filename().u8string().rfind(prefix, 0) == 0) found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace edgekit
