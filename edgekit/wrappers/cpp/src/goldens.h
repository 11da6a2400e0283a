// Golden outputs: recorded when a bundle is sealed, compared on the device before anything is timed.
//
// llm: the best token of 32 teacher-forced positions, where it led the second by more than the plan's margin; half of
// the positions are read at once, half token by token, as prefill and decoding use different kernels. tensor: the
// direction (cosine) and the length of every output, as agreement.h compares arrays; an output whose finite values are
// all dust, here and in the golden, has no direction, one that holds random numbers is held against a shape alone, and one
// whose rows the model counts is named by their axis ("rows.NAME") and compared as rows.h says.
// CPUs' int4 and int8 kernels differ, so exact values are never the rule.
#pragma once

#include <string>
#include <vector>

#include "arrays.h"
#include "json.h"
#include "llm.h"
#include "tensor.h"

namespace edgekit {

constexpr size_t SHOWN = 5;  // mismatches that are named

// What check/goldens.npz holds: the answers to check/inputs.npz, and what they were recorded on.
Arrays record(const LlmBundle& bundle, const Arrays& inputs, const Json& rule, const std::string& kernels);
Arrays record(const TensorBundle& bundle, const Arrays& inputs, const Json& rule, const std::string& kernels);

// Hold answers, as `record` gives them, against the goldens; the outcome of the action "goldens".
Json compare(const Arrays& here, const Arrays& goldens, const Json& rule);

// The feeds of check/inputs.npz, whose arrays are named "0.input", "1.input", ...
std::vector<Arrays> feeds(const Arrays& inputs);

}  // namespace edgekit
