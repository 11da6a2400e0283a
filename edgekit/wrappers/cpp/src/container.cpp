#include "container.h"

#include "refused.h"
#include "sha256.h"
#include "words.h"

namespace fs = std::filesystem;

namespace edgekit {
namespace {

Json hash(const fs::path& folder) {
    Json found = Json::object();
    if (!fs::is_directory(folder)) return {{"sha256", found}};
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (!fs::is_regular_file(entry.symlink_status())) continue;
        found[entry.path().lexically_relative(folder).generic_u8string()] = sha256_of(entry.path());
    }
    return {{"sha256", found}};
}

}  // namespace

fs::path within(const fs::path& container, const std::string& relative) {
    const fs::path home = fs::canonical(container);
    std::error_code failed;  // a loop of links, a name that no file system takes
    fs::path found = fs::weakly_canonical(home / fs::u8path(relative), failed).lexically_normal();
    bool leads_out = failed || relative.empty() || relative.find('\0') != std::string::npos;
    const fs::path below = leads_out ? fs::path() : found.lexically_relative(home);
    leads_out = leads_out || below.empty() || below == "." || *below.begin() == "..";
    fs::path part = home;
    for (auto name = below.begin(); !leads_out && name != below.end(); ++name) {
        part /= *name;  // what is left of links here points to nothing yet: what is written there would lie outside
        leads_out = fs::is_symlink(fs::symlink_status(part, failed));
    }
    if (leads_out) throw Refused("not inside the app's container: " + quoted(relative), "", "usage");
    return found;
}

Json act_in(const fs::path& container, Ordered request, Engines& engines, const Machine& machine, const Emit& emit) {
    for (const char* key : {"bundle", "folder", "goldens", "inputs", "outputs"}) {
        const std::string relative = value_or<std::string>(request, key, "");
        if (!relative.empty()) request[key] = within(container, relative).u8string();
    }
    const std::string action = request.at("action").get<std::string>();
    if (action != "hash" && action != "remove") return act(request, engines, machine, emit);
    const std::string named = value_or<std::string>(request, "folder", "");
    if (named.empty()) throw Refused(action + " needs a folder", "", "usage");
    if (action == "hash") return hash(fs::u8path(named));
    fs::remove_all(fs::u8path(named));
    return Json::object();
}

}  // namespace edgekit
