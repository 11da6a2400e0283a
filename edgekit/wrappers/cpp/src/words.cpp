#include "words.h"

#include <cstdio>

namespace edgekit {

std::string quoted(const std::string& text) { return "'" + text + "'"; }

std::string joined(const std::vector<std::string>& parts, const std::string& between) {
    std::string whole;
    for (const std::string& part : parts) whole += (whole.empty() ? "" : between) + part;
    return whole;
}

std::string number(const char* format, double value) {
    char text[64];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

std::string first_line(const std::string& text, size_t most) {
    std::string line = text.substr(0, text.find('\n')).substr(0, most);
    return line.empty() ? "no reason given" : line;
}

bool ends_with(const std::string& text, const std::string& end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string lower(std::string text) {
    for (char& letter : text) {
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    }
    return text;
}

std::string trimmed(const std::string& text) {
    const char* white = " \t\r\n\v\f";
    const size_t begin = text.find_first_not_of(white);
    return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(white) - begin + 1);
}

}  // namespace edgekit
