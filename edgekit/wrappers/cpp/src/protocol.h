// The child's half of the job contract: request.json in, events on the old stdout, outcome.json written last.
#pragma once

#include <filesystem>
#include <functional>

#include "actions.h"
#include "refused.h"

namespace edgekit {

// A refusal as the "error" of an outcome.
Json error_of(const Refused& refused);

// Run `handler(request, emit)` and write its outcome beside the request; ends the process.
//
// Refused becomes an {"error": ...} outcome. Any other exception leaves a line on stderr and no outcome: the parent
// then knows the child failed. The process also ends, without an outcome, after the request's timeout_s seconds, when
// nobody reads its events any more, and (Linux, Android) when its parent dies.
[[noreturn]] void serve(const std::filesystem::path& request,
                        const std::function<Json(const Ordered&, const Emit&)>& handler);

}  // namespace edgekit
