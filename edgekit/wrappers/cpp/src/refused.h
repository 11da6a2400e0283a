// What cannot be run here, or was asked wrongly: one cause, one next step, and the compatibility axis to blame.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace edgekit {

// code: "bundle" (damaged, or not for this runtime or machine), "usage" (a wrong input), "tool-missing", "quality".
// axis: "format", "requires", "os", "abi", "soc", "ep", ...; empty where none is to blame.
struct Refused : std::runtime_error {
    std::string next, code, axis;

    explicit Refused(const std::string& message, std::string next_step = "", std::string error_code = "bundle",
                     std::string blamed = "")
        : std::runtime_error(message),
          next(std::move(next_step)),
          code(std::move(error_code)),
          axis(std::move(blamed)) {}
};

// An engine's own failure: unforeseen, so it ends the job without an outcome.
struct EngineError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace edgekit
