// Chat templates with tools: how functions are given to a template so that it renders them as its publisher meant.
//
// The engine's own `tools` argument rewrites them (names flattened, "string" to "str"), and it rewrites a message's key
// `tools` (`["` becomes `['`, `true` becomes `True`). So they go where the template looks, on another way: as the literal
// that the template's variable `tools` is set to, or in the system message under a key that the engine does not know.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "json.h"

namespace edgekit {

// The chat template of a GenAI folder; none for a base model.
std::optional<std::string> template_of(const std::filesystem::path& model);

// What the engine is given: messages as JSON, and a template where it is not the tokenizer's own.
struct Form {
    std::string messages;
    std::optional<std::string> chat_template;
};

// tools: functions [{"type": "function", "function": {"name", "description", "parameters"}}, ...], or empty.
// off: a variable of the template that is set to false. Throws Refused where the engine cannot be told.
Form form_of(const std::string& chat_template, Ordered messages, const Ordered& tools,
             const std::optional<std::string>& off = {});

// What stands under a tool's or a call's "function"; the whole where there is no such key.
const Ordered& function_of(const Ordered& tool);

// A value as JSON with a space behind each comma and colon; or as a template's literal: the engine reads no escapes of
// Unicode and no `e+22`, but every character.
std::string written(const Ordered& value, bool literal);

// A rendered text with empty lists and objects as `tojson(indent=4)` writes them; the engine puts an empty line into each.
std::string mended(std::string text, const std::string& chat_template, const Ordered& tools);

}  // namespace edgekit
