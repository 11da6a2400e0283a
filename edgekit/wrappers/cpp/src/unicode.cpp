#include "unicode.h"

#include <algorithm>
#include <cstdint>

namespace edgekit {
namespace {

// Reads the code point at `at` and moves on; false, and one byte on, where there is none (RFC 3629).
bool next(const std::string& text, size_t& at, char32_t& letter) {
    const auto first = static_cast<uint8_t>(text[at++]);
    if (first < 0x80) {
        letter = first;
        return true;
    }
    const size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || at + more > text.size()) return false;
    letter = first & (0x3f >> more);
    for (size_t i = 0; i < more; ++i) {
        const auto byte = static_cast<uint8_t>(text[at + i]);
        if ((byte & 0xc0) != 0x80) return false;
        letter = (letter << 6) | (byte & 0x3f);
    }
    const bool overlong = (more == 2 && letter < 0x800) || (more == 3 && letter < 0x10000);
    if (overlong || letter > 0x10ffff || (letter >= 0xd800 && letter < 0xe000)) return false;
    at += more;
    return true;
}

bool begins_letter(char byte) { return (static_cast<uint8_t>(byte) & 0xc0) != 0x80; }

}  // namespace

std::u32string from_utf8(const std::string& text) {
    std::u32string found;
    for (size_t at = 0; at < text.size();) {
        char32_t letter = 0;
        found += next(text, at, letter) ? letter : U'\ufffd';
    }
    return found;
}

std::string to_utf8(const std::u32string& text) {
    std::string made;
    for (char32_t letter : text) {
        if (letter < 0x80) {
            made += static_cast<char>(letter);
        } else if (letter < 0x800) {
            made += static_cast<char>(0xc0 | (letter >> 6));
            made += static_cast<char>(0x80 | (letter & 0x3f));
        } else if (letter < 0x10000) {
            made += static_cast<char>(0xe0 | (letter >> 12));
            made += static_cast<char>(0x80 | ((letter >> 6) & 0x3f));
            made += static_cast<char>(0x80 | (letter & 0x3f));
        } else {
            made += static_cast<char>(0xf0 | (letter >> 18));
            made += static_cast<char>(0x80 | ((letter >> 12) & 0x3f));
            made += static_cast<char>(0x80 | ((letter >> 6) & 0x3f));
            made += static_cast<char>(0x80 | (letter & 0x3f));
        }
    }
    return made;
}

size_t letters(const std::string& text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), begins_letter));
}

size_t behind_letters(const std::string& text, size_t count) {
    size_t at = 0;
    for (; at < text.size() && (count || !begins_letter(text[at])); ++at) count -= begins_letter(text[at]) ? 1 : 0;
    return at;
}

bool is_utf8(const std::string& text) {
    for (size_t at = 0; at < text.size();) {
        char32_t letter = 0;
        if (!next(text, at, letter)) return false;
    }
    return true;
}

}  // namespace edgekit
