// What a request may ask for; the same words and outcomes as the Python runtime's (edgekit_runtime).
#pragma once

#include <functional>

#include "engines.h"
#include "json.h"
#include "machine.h"

namespace edgekit {

using Emit = std::function<void(const char* kind, Json fields)>;

// Do the action of a request and return its outcome; Refused is the outcome {"error": ...}.
Json act(const Ordered& asked, Engines& engines, const Machine& machine, const Emit& emit);

}  // namespace edgekit
