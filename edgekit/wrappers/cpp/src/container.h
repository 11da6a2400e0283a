// The actions of an app: the runner's, on paths that are relative to the app's container, and two more.
#pragma once

#include <filesystem>
#include <string>

#include "actions.h"

namespace edgekit {

// The full path of one in the container; it need not exist. Throws Refused ("usage") where it leads out, also through a
// symbolic link, or is the container itself.
std::filesystem::path within(const std::filesystem::path& container, const std::string& relative);

// Do the action of a request whose paths ("bundle", "folder", "goldens", "inputs", "outputs") are relative to the
// container. Besides those of act():
//     hash: {"sha256": {path: hex}} of the files below request["folder"]; links are no files
//     remove: delete request["folder"] and all below it; links are deleted, never followed
Json act_in(const std::filesystem::path& container, Ordered request, Engines& engines, const Machine& machine,
            const Emit& emit);

}  // namespace edgekit
