// Function calls as families of models write them: found in an answer, held to their schema, told again in a prompt.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "json.h"

namespace edgekit {

// The calls {"name", "arguments"} that an answer consists of; none where it is text, or one of them is no JSON of a call.
// text: with the marks of calls in it and without its thoughts. form: "phi-4-mini", "hermes", "llama", "json"; any other
// has no calls.
Ordered calls_in(const std::string& text, const std::string& form);

// Whether an answer that begins so may still become a call.
bool may_be_call(const std::string& text, const std::string& form);

// Passes the text of an answer on, but holds back what may be a call.
class CallHolder {
  public:
    explicit CallHolder(std::string form) : form_(std::move(form)) {}

    std::string push(const std::string& text);         // what may be shown now
    const std::string& held() const { return held_; }  // that; at the end it is one, or text

  private:
    std::string form_, held_;
    bool begun_ = false;  // something was passed on: only a mark begins a call now
};

// What an answer may be, as llguidance's Lark: one call of these functions, or text.
// special: the marks that are special tokens. required: only a call.
std::string grammar(const std::string& form, const Ordered& tools, const std::vector<std::string>& special,
                    bool required);

// A message for a template that knows nothing of calls: its calls as the model wrote them.
Ordered told(const Ordered& message, const std::string& form);

}  // namespace edgekit
