// Which files an ONNX graph names, read from its bytes alone; references.py says how.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <utility>

namespace edgekit {

struct References {
    std::set<std::pair<std::string, uint64_t>> files;  // location, and how many bytes the file must have
    bool has_settings = false;                         // options of a session in the model's metadata
};

// Throws std::runtime_error: no ONNX model in protobuf's form, with the reason.
References references(const std::filesystem::path& model);

}  // namespace edgekit
