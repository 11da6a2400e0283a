// Read a bundle's manifest as an app does: unknown keys are ignored, and what cannot run here is refused by name.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "engines.h"
#include "json.h"

namespace edgekit {

// The manifest of the bundle in `folder`; its format and features are checked, unknown keys are kept.
Json read_manifest(const std::filesystem::path& folder);

// The variant of this name, or else the first that runs here; Refused names the axis on which it (or the first) fails.
// foreign: run a bundle of another platform anyway, for a look at its outputs: os, abi and soc are not compared with
// this machine, nor the versions of that platform's packages with this one's, and the CPU does what the accelerator
// would (a variant compiled for a chip comes last).
Json choose_variant(const Json& manifest, const std::optional<std::string>& name, bool foreign, Engines& engines);

// The file of a bundle that a manifest's path names; a path that leads outside is refused.
std::filesystem::path inside(const std::filesystem::path& folder, const std::string& relative);

// Compare a variant's files with the manifest: sizes, a quick look at every open; with hashes every byte, at install.
void check_files(const std::filesystem::path& folder, const Json& manifest, const std::string& variant, bool hashes);

// ONNX Runtime's name of an execution provider ("cpu" -> "CPUExecutionProvider"); empty for one that is not known.
std::string provider_name(const std::string& ep);

}  // namespace edgekit
