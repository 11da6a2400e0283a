#include "paths.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>

#include "lasting.h"
#include "unicode.h"
#include "words.h"

namespace edgekit {
namespace {

constexpr size_t MAX_PATH_BYTES = 400, MAX_PART_BYTES = 200, MAX_DEPTH = 16;

std::vector<std::string> parts_of(const std::string& path) {
    std::vector<std::string> parts(1);
    for (char letter : path) {
        if (letter == '/') {
            parts.emplace_back();
        } else {
            parts.back() += letter;
        }
    }
    return parts;
}

bool is_device(const std::string& part) {
    static const auto& names = lasting(std::set<std::string>{"con", "prn", "aux", "nul", "conin$", "conout$"});
    std::string stem = lower(trimmed(part.substr(0, part.find('.'))));
    if (names.count(stem)) return true;
    if (stem.rfind("com", 0) != 0 && stem.rfind("lpt", 0) != 0) return false;
    stem.erase(0, 3);
    return (stem.size() == 1 && stem[0] >= '0' && stem[0] <= '9') || stem == "\xc2\xb9" || stem == "\xc2\xb2" ||
           stem == "\xc2\xb3";
}

std::string why_unsafe_part(const std::string& part) {
    if (part.empty() || part == "." || part == "..") return "it has an empty part, '.' or '..'";
    if (part.back() == '.' || part.back() == ' ') return "a part ends with a dot or a space, which Windows drops";
    if (is_device(part)) return quoted(part) + " is a device's name on Windows";
    return part.size() > MAX_PART_BYTES ? "a part is longer than " + std::to_string(MAX_PART_BYTES) + " bytes" : "";
}

}  // namespace

std::string why_unsafe(const std::string& path) {
    if (path.empty()) return "it is empty";
    if (path.front() == '/') return "it is absolute";
    const auto is_forbidden = [](char32_t letter) {
        return letter < 0x20 || (letter >= 0x7f && letter < 0xa0) ||
               std::u32string(U"<>:\"|?*\\").find(letter) != std::u32string::npos;
    };
    const std::u32string letters = from_utf8(path);
    if (!is_utf8(path) || std::any_of(letters.begin(), letters.end(), is_forbidden)) {
        return "it has a backslash, a colon, or a character that not every system allows";
    }
    const std::vector<std::string> parts = parts_of(path);
    if (path.size() > MAX_PATH_BYTES || parts.size() > MAX_DEPTH) {
        return "it is longer than " + std::to_string(MAX_PATH_BYTES) + " bytes or deeper than " +
               std::to_string(MAX_DEPTH) + " folders";
    }
    for (const std::string& part : parts) {
        if (std::string why = why_unsafe_part(part); !why.empty()) return why;
    }
    return "";
}

bool is_path(const std::string& value) {
    if (value.find_first_of("/\\") != std::string::npos || value == "." || value == "..") return true;
    const char first = lower(value.substr(0, 1))[0];
    return value.size() > 1 && first >= 'a' && first <= 'z' && value[1] == ':';
}

std::string clash(const std::vector<std::string>& paths) {
    std::map<std::string, std::pair<std::string, bool>> seen;
    for (const std::string& path : paths) {
        std::string spelled;
        const std::vector<std::string> parts = parts_of(path);
        for (size_t at = 0; at < parts.size(); ++at) {
            spelled += (at ? "/" : "") + parts[at];
            const bool is_file = at + 1 == parts.size();
            const auto [known, is_new] = seen.emplace(lower(spelled), std::pair(spelled, is_file));
            if (!is_new && (is_file || known->second != std::pair(spelled, is_file))) {
                return edgekit::quoted(known->second.first) + " and " + edgekit::quoted(spelled);
            }
        }
    }
    return "";
}

}  // namespace edgekit
