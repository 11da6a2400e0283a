#include "functions.h"

#include <algorithm>
#include <array>
#include <map>

#include "chat.h"
#include "lasting.h"
#include "text.h"
#include "words.h"

namespace edgekit {
namespace {

// What stands before and behind the JSON of a call, the mark alone of each, and the key of the arguments.
struct CallForm {
    std::string before, behind, begin, end, key;
};

const CallForm* form_named(const std::string& name) {
    static const auto& forms = lasting(std::map<std::string, CallForm>{
        {"phi-4-mini", {"<|tool_call|>[", "]<|/tool_call|>", "<|tool_call|>", "<|/tool_call|>", "arguments"}},
        {"hermes", {"<tool_call>\n", "\n</tool_call>", "<tool_call>", "</tool_call>", "arguments"}},
        {"llama", {"", "", "", "", "parameters"}},
        {"json", {"", "", "", "", "arguments"}}});
    const auto found = forms.find(name);
    return found == forms.end() ? nullptr : &found->second;
}

const std::string PYTHON_TAG = "<|python_tag|>";

bool begins_with(const std::string& text, const std::string& begin) { return text.compare(0, begin.size(), begin) == 0; }

// An end to every value, which a weak model may never find: it goes on with a text, a list or digits.
Ordered longest(const std::string& type) {
    if (type == "string") return {{"maxLength", 1000}};
    if (type == "array") return {{"maxItems", 32}};
    if (type == "integer") return {{"minimum", -1000000000000000}, {"maximum", 1000000000000000}};
    if (type == "number") return {{"minimum", -1000000000000}, {"maximum", 1000000000000}, {"multipleOf", 0.0001}};
    return Ordered::object();
}

// A schema with an end to every text, list and number, and without words for people.
Ordered bounded(const Ordered& schema) {
    Ordered found = Ordered::object();
    const auto type = schema.find("type");
    if (type != schema.end() && type->is_string()) found = longest(type->get<std::string>());
    for (const auto& [name, value] : schema.items()) {
        if (name != "description" && name != "default") found[name] = value;
    }
    if (found.contains("properties") && found["properties"].is_object()) {
        for (auto& [name, one] : found["properties"].items()) {
            if (one.is_object()) one = bounded(one);
        }
        if (!found.contains("additionalProperties")) found["additionalProperties"] = false;
    }
    if (found.contains("items") && found["items"].is_object()) found["items"] = bounded(found["items"]);
    return found;
}

// {"name": ..., key: {...}}: a call of this function and of no other.
Ordered schema_of(const Ordered& function, const std::string& key) {
    Ordered parameters = {{"type", "object"}, {"properties", Ordered::object()}};
    if (has(function, "parameters")) parameters.update(function.at("parameters"));
    Ordered properties = {{"name", {{"enum", Ordered::array({function.at("name")})}}}};
    properties[key] = bounded(parameters);
    return {{"type", "object"},
            {"properties", properties},
            {"required", Ordered::array({"name", key})},
            {"additionalProperties", false}};
}

// A text in Lark, where the mark in it may be a special token.
std::string lark_of(const std::string& text, const std::vector<std::string>& special) {
    if (text.empty()) return "";
    for (const std::string& mark : special) {
        const size_t at = text.find(mark);
        if (at == std::string::npos) continue;
        const std::string before = lark_of(text.substr(0, at), {}), behind = lark_of(text.substr(at + mark.size()), {});
        return (before.empty() ? "" : before + " ") + mark + (behind.empty() ? "" : " " + behind);
    }
    return Ordered(text).dump();
}

// The value of a JSON text; discarded where it is none.
Ordered parsed(const std::string& text) { return Ordered::parse(text, nullptr, false); }

// The item as a call; null where it is none.
Ordered call_of(const Ordered& item) {
    if (!item.is_object()) return nullptr;
    if (has(item, "function") && item.at("function").is_object()) return call_of(item.at("function"));
    Ordered arguments = item.value("arguments", item.value("parameters", Ordered::object()));
    if (arguments.is_string()) arguments = parsed(arguments.get<std::string>());
    if (!has(item, "name") || !item.at("name").is_string() || !arguments.is_object()) return nullptr;
    return {{"name", item.at("name")}, {"arguments", arguments}};
}

std::vector<std::string> split(const std::string& text, const std::string& by) {
    std::vector<std::string> found;
    size_t begin = 0;
    for (size_t at = text.find(by); at != std::string::npos; at = text.find(by, begin)) {
        found.push_back(text.substr(begin, at - begin));
        begin = at + by.size();
    }
    found.push_back(text.substr(begin));
    return found;
}

std::vector<std::string> pieces_of(const std::string& text, const CallForm& form) {
    if (!form.begin.empty() && text.find(form.begin) != std::string::npos) {
        std::vector<std::string> found = split(text, form.begin);
        found.erase(found.begin());
        for (std::string& one : found) one.erase(std::min(one.find(form.end), one.size()));
        return found;
    }
    std::string bare = trimmed(text);
    if (begins_with(bare, PYTHON_TAG)) bare.erase(0, PYTHON_TAG.size());
    if (!parsed(bare).is_discarded()) return {bare};
    std::string plain;
    for (const std::string& one : split(bare, ";\n")) plain += (plain.empty() ? "" : "; ") + one;
    return split(plain, "; ");
}

}  // namespace

Ordered calls_in(const std::string& text, const std::string& name) {
    const CallForm* form = form_named(name);
    Ordered found = Ordered::array();
    if (!form) return found;
    for (const std::string& piece : pieces_of(text, *form)) {
        const Ordered value = parsed(piece);
        if (value.is_discarded()) return Ordered::array();
        const Ordered items = value.is_array() ? value : Ordered::array({value});
        if (items.empty()) return Ordered::array();
        for (const Ordered& item : items) {
            Ordered call = call_of(item);
            if (call.is_null()) return Ordered::array();
            found.push_back(std::move(call));
        }
    }
    return found;
}

bool may_be_call(const std::string& text, const std::string& name) {
    const CallForm* form = form_named(name);
    if (!form) return false;
    const std::string shown = text.substr(std::min(text.find_first_not_of(" \t\r\n\v\f"), text.size()));
    const std::array<std::string, 4> begins{form->begin, "{", "[", PYTHON_TAG};
    return std::any_of(begins.begin(), begins.end(), [&](const std::string& one) {
        return !one.empty() && (begins_with(shown, one) || begins_with(one, shown));
    });
}

std::string CallHolder::push(const std::string& text) {
    held_ += text;
    if (!begun_ && may_be_call(held_, form_)) return "";
    const CallForm* form = form_named(form_);
    const std::string mark = form ? form->begin : "";
    size_t at = mark.empty() ? std::string::npos : held_.find(mark);
    if (at == std::string::npos) at = held_.size() - (mark.empty() ? 0 : overlap(held_, mark));
    std::string shown = held_.substr(0, at);
    held_.erase(0, at);
    begun_ = begun_ || !shown.empty();
    return shown;
}

std::string grammar(const std::string& name, const Ordered& tools, const std::vector<std::string>& special,
                    bool required) {
    const CallForm& form = *form_named(name);
    Ordered calls = Ordered::array();
    for (const Ordered& tool : tools) calls.push_back(schema_of(function_of(tool), form.key));
    Ordered schema = calls.size() == 1 ? calls.front() : Ordered{{"anyOf", calls}};
    // The engine's own keys: without them a weak model may write nothing but spaces.
    schema["x-guidance"] = {{"whitespace_flexible", false}, {"item_separator", ", "}, {"key_separator", ": "}};
    std::vector<std::string> parts;
    for (const std::string& part :
         {lark_of(form.before, special), "%json " + written(schema, false), lark_of(form.behind, special)}) {
        if (!part.empty()) parts.push_back(part);
    }
    const std::string text = required ? "" : " | TEXT\nTEXT: /[^<{\\[ \\t\\n](.|\\n)*/";
    return "start: call" + text + "\ncall: " + joined(parts, " ") + "\n";
}

Ordered told(const Ordered& message, const std::string& name) {
    const CallForm& form = *form_named(name);
    Ordered found = message;
    found.erase("tool_calls");
    if (value_or<std::string>(message, "role", "") == "tool" && name == "phi-4-mini") {
        found["role"] = "tool_response";  // its token for what a function answered
        return found;
    }
    if (!has(message, "tool_calls") || message.at("tool_calls").empty()) return found;
    std::vector<std::string> texts;
    const bool listed = name == "phi-4-mini";
    for (const Ordered& one : message.at("tool_calls")) {
        const Ordered& call = function_of(one);
        Ordered shown = {{"name", call.at("name")}};
        shown[form.key] = call.at("arguments");
        texts.push_back(listed ? written(shown, false) : form.before + written(shown, false) + form.behind);
    }
    const std::string calls = listed ? form.before + joined(texts, ", ") + form.behind : joined(texts, "\n");
    found["content"] = value_or<std::string>(message, "content", "") + calls;
    return found;
}

}  // namespace edgekit
