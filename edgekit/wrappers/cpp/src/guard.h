// What the model files of a bundle may make an engine open, load or write; guard.py has the reasons, rules.h the keys.
#pragma once

#include <filesystem>

#include "json.h"

namespace edgekit {

// Throws Refused by the file and the cause: a variant by which an engine would open, run or write what is not of the
// bundle. Apps open bundles that nobody verified.
void require_safe(const std::filesystem::path& folder, const Json& variant, const std::string& kind);

}  // namespace edgekit
