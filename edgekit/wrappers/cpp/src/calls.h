// Function calls in JSON: the engine's guidance allows only tokens that keep to a schema, so every answer must parse.
#pragma once

#include "json.h"
#include "llm.h"

namespace edgekit {

// Answer cases {id, prompt, tools, schema} greedily, each within its schema.
// Returns: asked, parsed, wrong (in words, one each) and reason: why nothing was asked, if so.
Json ask(const LlmBundle& bundle, const Json& cases, int64_t new_tokens);

// What `compare` found, with function calls that were asked: one that is no call is a mismatch.
Json with_calls(Json found, const Json& calls);

}  // namespace edgekit
