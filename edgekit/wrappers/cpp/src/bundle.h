// From a folder to the variant that will run.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "engines.h"
#include "json.h"

namespace edgekit {

// What to open, as requests say it.
struct Wanted {
    std::filesystem::path folder;
    std::optional<std::string> variant;  // by name; else the first that runs on this machine
    int threads = 0;                     // for one operator; 0 lets the engine choose
    bool hashes = false;                 // compare every byte with the manifest (at install), not only the sizes
    bool foreign = false;
};

// A bundle's folder, its manifest as read, and the variant that will run.
struct Opened {
    std::filesystem::path folder;
    Json manifest, variant;
    int threads;

    std::string kind() const { return value_or<std::string>(contract(), "kind", ""); }  // "llm" or "tensor"
    const Json& contract() const { return manifest.at("contract"); }
    std::filesystem::path model() const;  // the .onnx file (tensor) or the GenAI folder (llm)
    std::string ep() const { return value_or<std::string>(variant, "ep", "cpu"); }
};

// Throws Refused: damaged, not for this runtime or machine (the axis is named), or an engine is missing.
Opened find_bundle(const Wanted& wanted, Engines& engines);

// What an engine said when it could not open the model, as a refusal; out of memory stays what it is.
[[noreturn]] void cannot_open(const std::string& engine, const std::string& words);

}  // namespace edgekit
