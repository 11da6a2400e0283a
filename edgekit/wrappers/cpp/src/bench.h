// Measure a bundle: raw samples, never conclusions. What they mean is decided where the report is written.
//
// Rules and workloads come from the plan. Memory is read between trials, never while something is timed.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "arrays.h"
#include "json.h"
#include "llm.h"
#include "machine.h"
#include "tensor.h"

namespace edgekit {

using Tell = std::function<void(const std::string&)>;

using Samples = std::map<std::string, std::vector<double>>;

// Time to first token, prefill, decoding and inter-token times of a language model. The first prompt, and one of the
// length of each of the plan's depths, is answered with new_tokens tokens, end tokens forbidden; of the other prompts
// only the first token is awaited. With sustain_s the first prompt is answered for that long.
Json bench(const LlmBundle& bundle, const Arrays& inputs, const Json& plan, const Machine& machine, const Tell& tell);

// Latency of a tensor model over the feeds that have the shapes of the first, in turn. With sustain_s they run for that
// long, and of every second the throughput and the median latency are kept.
Json bench(const TensorBundle& bundle, const Arrays& inputs, const Json& plan, const Machine& machine,
           const Tell& tell);

// `unit` again and again, whatever becomes of its speed: one lap each. Only the very first is not kept.
Json sustained(const std::function<Samples()>& unit, double seconds, const Json& skipped, const Machine& machine,
               const Tell& tell);

void add(Samples& samples, const Samples& more);
Json memory(const std::string& phase, const Machine& machine);  // {"phase", "mb"}

}  // namespace edgekit
