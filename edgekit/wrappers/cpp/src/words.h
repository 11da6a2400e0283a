// Numbers and lists as words.
#pragma once

#include <string>
#include <vector>

namespace edgekit {

std::string quoted(const std::string& text);  // 'text'
std::string joined(const std::vector<std::string>& parts, const std::string& between);
std::string number(const char* format, double value);  // printf's format of one double
std::string first_line(const std::string& text, size_t most);
bool ends_with(const std::string& text, const std::string& end);
std::string lower(std::string text);           // ASCII letters
std::string trimmed(const std::string& text);  // without white space at both ends

}  // namespace edgekit
