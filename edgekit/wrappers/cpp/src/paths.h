// Whether a path may stand in a manifest, a configuration or an external-data record; paths.py has the reasons.
#pragma once

#include <string>
#include <vector>

namespace edgekit {

std::string why_unsafe(const std::string& path);  // a few words; empty when it may name a file of a bundle
bool is_path(const std::string& value);           // an engine's option that names a place in the file system

// Two of the paths that one file system or another takes for the same, as words; empty when there are none. Only ASCII
// letters are folded here: `edgekit verify` folds all.
std::string clash(const std::vector<std::string>& paths);

}  // namespace edgekit
