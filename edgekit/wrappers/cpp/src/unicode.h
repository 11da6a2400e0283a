// UTF-8 and code points.
#pragma once

#include <string>

namespace edgekit {

std::u32string from_utf8(const std::string& text);  // what is no UTF-8 becomes U+FFFD
std::string to_utf8(const std::u32string& text);
bool is_utf8(const std::string& text);

// Of UTF-8: how many code points it has, and the place behind so many of them, its end at most.
size_t letters(const std::string& text);
size_t behind_letters(const std::string& text, size_t count);

}  // namespace edgekit
