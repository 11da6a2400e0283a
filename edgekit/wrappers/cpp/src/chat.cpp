#include "chat.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <vector>

#include "lasting.h"
#include "refused.h"
#include "strict.h"
#include "words.h"

namespace fs = std::filesystem;

namespace edgekit {
namespace {

const std::string OURS = "edgekit_tools";  // instead of a message's key `tools`, in the template too

// message['tools'], message.get('tools')
const std::regex& key() {
    static const auto& pattern = lasting(std::regex(R"(([\w)\]]\[\s*|\.get\(\s*)(['"])tools\2)"));
    return pattern;
}

const std::regex& attribute() {
    static const auto& pattern = lasting(std::regex(R"(\.tools\b)"));
    return pattern;
}

// 'tools' in message
const std::regex& member() {
    static const auto& pattern = lasting(std::regex(R"((['"])tools\1(\s+(?:not\s+)?in\b))"));
    return pattern;
}

bool in_message(const std::string& chat_template) {
    return std::regex_search(chat_template, key()) || std::regex_search(chat_template, attribute());
}

// Every digit before and behind the point.
std::string digits_of(double value) {
    std::string text = Ordered(value).dump();
    if (text.find('e') == std::string::npos) return text;
    std::vector<char> room(800);
    std::snprintf(room.data(), room.size(), std::abs(value) < 1 ? "%.340f" : "%.1f", value);
    return room.data();
}

std::string escaped(const std::string& text) {
    std::string found;
    for (char letter : text) {
        switch (letter) {
            case '\\': found += "\\\\"; break;
            case '"': found += "\\\""; break;
            case '\n': found += "\\n"; break;
            case '\r': found += "\\r"; break;
            case '\t': found += "\\t"; break;
            default: found += letter;
        }
    }
    return found;
}

// Indented JSON as the engine writes it: an empty line in each empty list and object.
std::string with_empty_lines(const std::string& text, size_t indent) {
    std::istringstream lines(text);
    std::string found, line;
    while (std::getline(lines, line)) {
        const std::string comma = ends_with(line, ",") ? "," : "";
        line.erase(line.size() - comma.size());
        const std::string pad(std::min(line.find_first_not_of(' '), line.size()), ' ');
        if (ends_with(line, "{}") || ends_with(line, "[]")) {
            line.insert(line.size() - 1, "\n" + pad + std::string(indent, ' ') + "\n" + pad);
        }
        found += (found.empty() ? "" : "\n") + line + comma;
    }
    return found;
}

void replace_all(std::string& text, const std::string& old, const std::string& by) {
    for (size_t at = text.find(old); at != std::string::npos; at = text.find(old, at + by.size())) {
        text.replace(at, old.size(), by);
    }
}

}  // namespace

const Ordered& function_of(const Ordered& tool) {
    const auto found = tool.find("function");
    return found == tool.end() ? tool : *found;
}

std::string written(const Ordered& value, bool literal) {
    std::vector<std::string> parts;
    if (value.is_object()) {
        for (const auto& [name, one] : value.items()) {
            parts.push_back(written(Ordered(name), literal) + ": " + written(one, literal));
        }
        return "{" + joined(parts, ", ") + "}";
    }
    if (value.is_array()) {
        for (const Ordered& one : value) parts.push_back(written(one, literal));
        return "[" + joined(parts, ", ") + "]";
    }
    if (literal && value.is_string()) return "\"" + escaped(value.get<std::string>()) + "\"";
    if (literal && value.is_number_float()) return digits_of(value.get<double>());
    return literal && value.is_null() ? "none" : value.dump();
}

std::optional<std::string> template_of(const fs::path& model) {
    const fs::path file = model / "chat_template.jinja", config = model / "tokenizer_config.json";
    if (fs::is_regular_file(file)) return read_bytes(file);
    if (!fs::is_regular_file(config)) return {};
    try {
        const Json found = parse_json(read_bytes(config), false);
        if (found.is_object() && found.value("chat_template", Json()).is_string()) {
            return found.at("chat_template").get<std::string>();
        }
    } catch (const std::runtime_error&) {  // no strict JSON
    }
    return {};
}

Form form_of(const std::string& chat_template, Ordered messages, const Ordered& tools,
             const std::optional<std::string>& off) {
    Form form;
    if (!tools.empty() && in_message(chat_template)) {
        if (messages.empty() || value_or<std::string>(messages.front(), "role", "") != "system") {
            messages.insert(messages.begin(), Ordered{{"role", "system"}, {"content", ""}});
        }
        Ordered functions = Ordered::array();
        for (const Ordered& tool : tools) functions.push_back(function_of(tool));
        messages.front()["tools"] = written(functions, false);
    }
    const auto has_tools = [](const Ordered& message) { return message.contains("tools"); };
    if (std::any_of(messages.begin(), messages.end(), has_tools)) {
        Ordered renamed = Ordered::array();
        for (const Ordered& message : messages) {
            Ordered& one = renamed.emplace_back(Ordered::object());
            for (const auto& [name, value] : message.items()) one[name == "tools" ? OURS : name] = value;
        }
        messages = std::move(renamed);
        std::string own = std::regex_replace(chat_template, member(), "$1" + OURS + "$1$2");
        own = std::regex_replace(own, key(), "$1$2" + OURS + "$2");
        form.chat_template = std::regex_replace(own, attribute(), "." + OURS);
    } else if (!tools.empty()) {
        form.chat_template = "{% set tools = " + written(tools, true) + " %}" + chat_template;
    }
    if (off) {  // the engine's `is` knows neither true nor false
        static const auto& NOT = lasting(std::regex(R"(\bis\s+not\s+(?=(?:true|false|True|False)\b))"));
        static const auto& IS = lasting(std::regex(R"(\bis\s+(?=(?:true|false|True|False)\b))"));
        const std::string own = form.chat_template.value_or(chat_template);
        form.chat_template = "{% set " + *off + " = false %}" +
                             std::regex_replace(std::regex_replace(own, NOT, "!= "), IS, "== ");
    }
    form.messages = messages.dump();
    if (form.messages.find("\\u0000") != std::string::npos ||
        (form.chat_template && form.chat_template->find('\0') != std::string::npos)) {
        throw Refused("the chat template refuses these messages: a text holds a zero byte, at which the engine would end it",
                      "", "usage");
    }
    return form;
}

std::string mended(std::string text, const std::string& chat_template, const Ordered& tools) {
    static const auto& INDENT = lasting(std::regex(R"(tojson\(\s*indent\s*=\s*(\d{1,2})\s*\))"));
    std::set<int> indents;
    for (std::sregex_iterator at(chat_template.begin(), chat_template.end(), INDENT), end; at != end; ++at) {
        indents.insert(std::stoi((*at)[1].str()));
    }
    if (tools.empty()) return text;
    for (const int indent : indents) {
        std::vector<Ordered> values{tools};
        for (const Ordered& tool : tools) values.push_back(tool);
        for (const Ordered& tool : tools) values.push_back(function_of(tool));
        for (const Ordered& value : values) {
            const std::string right = value.dump(indent), wrong = with_empty_lines(right, static_cast<size_t>(indent));
            if (wrong != right) replace_all(text, wrong, right);
        }
    }
    return text;
}

}  // namespace edgekit
