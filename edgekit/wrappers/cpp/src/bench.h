// Measure a bundle: raw samples, never conclusions. What they mean is decided where the report is written.
//
// Rules and workloads come from the plan. Memory is read between trials, never while something is timed.
#pragma once

#include <functional>
#include <string>

#include "arrays.h"
#include "json.h"
#include "llm.h"
#include "machine.h"
#include "tensor.h"

namespace edgekit {

using Tell = std::function<void(const std::string&)>;

// Time to first token, prefill, decoding and inter-token times of a language model. The first prompt is answered with
// new_tokens tokens, end tokens forbidden; of the others only the first token is awaited.
Json bench(const LlmBundle& bundle, const Arrays& inputs, const Json& plan, const Machine& machine, const Tell& tell);

// Latency of a tensor model over the feeds that have the shapes of the first, in turn.
Json bench(const TensorBundle& bundle, const Arrays& inputs, const Json& plan, const Machine& machine,
           const Tell& tell);

Json memory(const std::string& phase, const Machine& machine);  // {"phase", "mb"}

}  // namespace edgekit
