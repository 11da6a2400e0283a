// How a prompt is answered: the question that a request asks, and the way from tokens to text, thoughts and calls.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "answers.h"
#include "json.h"
#include "llm.h"
#include "slots.h"

namespace edgekit {

struct Question {
    Tokens ids;
    int64_t max_tokens;
    Sampling sampling = {};
    std::vector<std::string> stops = {};
    std::optional<Guidance> guidance = {};
    std::string form = {};   // of the calls that the answer may have
    Splitter splitter = {};  // of what it thinks
    std::optional<std::string> adapter = {};
    std::optional<std::string> speculate = {};
};

struct Answer {
    size_t prompt_tokens = 0, tokens = 0;
    size_t reused = 0;    // tokens of the prompt that a cache held
    std::string reason;   // "eos", "stop" (a stop string), "length" (max_tokens), "max_length" (the bundle's limit),
                          // "cancelled"
    double decode_s = 0;  // from the first token to the end
    std::optional<size_t> passes = {};  // of the model for the tokens after the first, where they were speculated
    Ordered calls;        // the functions that it calls: {"name", "arguments"}
};

// The prompt of a conversation {messages, tools}.
std::string rendered(const LlmBundle& bundle, const Ordered& conversation, bool think);

// What a request asks: messages or prompt, max_tokens, stop, tools and call, json_schema, think, adapter, speculate, and
// how it is drawn.
Question question_of(const LlmBundle& bundle, const Ordered& request);

// What is told while an answer is made.
struct Sink {
    Progress progress;
    Splitter::Show show;
};

Answer answer(const LlmBundle& bundle, Slots& slots, const Question& question, Stop& stop, const Sink& sink);

// Of a question that no other follows, and nobody ends.
Answer answer_alone(const LlmBundle& bundle, const Question& question, const Splitter::Show& show);

}  // namespace edgekit
