#include "guard.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lasting.h"
#include "paths.h"
#include "references.h"
#include "refused.h"
#include "rules.h"
#include "strict.h"
#include "words.h"

namespace fs = std::filesystem;

namespace edgekit {
namespace {

const std::string CONFIG = "genai_config.json";
constexpr size_t CONFIG_BYTES = 4 << 20;
using Sizes = std::map<std::string, uintmax_t>;

const Json& rules() {
    static const auto& parsed = lasting(Json::parse(RULES));
    return parsed;
}

bool holds(const Json& list, const std::string& word) { return std::find(list.begin(), list.end(), word) != list.end(); }

// A stranger's text in a message of one line.
std::string cut(const std::string& text) {
    std::string plain = text.substr(0, 80);
    const auto control = [](unsigned char letter) { return letter < 0x20 || letter == 0x7f; };
    std::replace_if(plain.begin(), plain.end(), control, '?');
    return edgekit::quoted(plain);
}

std::string shown(const Json& value) {
    if (value.is_string()) return cut(value.get_ref<const std::string&>());
    return value.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 80);
}

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }
std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw Refused(quoted(path) + " is not safe: " + first_line(why, 500),
                  "take the bundle from where it was built, or build it again");
}

bool names_a_path(const std::string& key, const Json& value) {
    return value.is_string() && !holds(rules().at("text"), key) && is_path(value.get_ref<const std::string&>());
}

std::string why_of(const std::string& key, const std::string& otherwise) {
    return value_or(rules().at("why"), key.c_str(), otherwise);
}

// Refuses the options of an execution provider, by whatever name an engine takes it.
void require_options(const std::string& path, const std::string& provider, const Json& given, const std::string& where) {
    std::string name = lower(provider);
    if (ends_with(name, "executionprovider")) name.resize(name.size() - 17);
    const auto known = rules().at("providers").find(name);
    if (known == rules().at("providers").end()) {
        refuse(path, where + " is for the execution provider " + cut(provider) + ", which edgekit does not know");
    }
    for (const auto& [key, value] : given.items()) {
        const std::string option = "the option " + where + "." + key.substr(0, 80) + " is " + shown(value) + ": ";
        if (key == "device_filtering_options" && value.is_object()) continue;  // kinds and numbers of devices
        if (!holds(*known, key)) refuse(path, option + why_of(key, "none that edgekit knows of " + name));
        if (!value.is_primitive() || value.is_null()) refuse(path, option + "of another form than the engine's");
        if (names_a_path(key, value)) refuse(path, option + "a path, which an engine would open");
        const auto only = rules().at("only").find(key);
        if (only != rules().at("only").end() && std::find(only->begin(), only->end(), value) == only->end()) {
            refuse(path, option + "not one of " + joined(only->get<std::vector<std::string>>(), ", "));
        }
    }
}

// One genai_config.json: each key is known in its place, and what it opens is in the bundle.
class Config {
   public:
    Config(const std::string& path, const Sizes& sizes) : path_(path), sizes_(sizes) {}

    std::set<std::string> opened;  // as graphs

    void object(const std::string& kind, const std::string& place, const Json& value) {
        if (!value.is_object()) other_form(place, value);
        for (const auto& [key, inner] : value.items()) {
            const std::string at = place.empty() ? key : place + "." + key;
            std::string form;
            for (const auto& [name, keys] : rules().at(kind).items()) {
                if (holds(keys, key)) form = name;
            }
            if (form.empty()) {
                refuse(path_, at + " is " + shown(inner) + ": " +
                                  why_of(key, "no key that edgekit knows in this place"));
            }
            any(form, at, key, inner);
        }
    }

   private:
    [[noreturn]] void other_form(const std::string& place, const Json& value) const {
        refuse(path_, place + " is " + shown(value) + ": of another form than the engine's");
    }

    void any(const std::string& form, const std::string& place, const std::string& key, const Json& value) {
        if (form == "value") return texts(place, key, value);
        if (form == "file" || form == "folder") return file(form, place, key, value);
        if (form == "parts") return parts(place, value);
        if (form == "providers") return providers(place, value);
        if (form != "names") return object(form, place, value);
        if (!value.is_structured()) other_form(place, value);  // of tensors, which may have a slash
    }

    void texts(const std::string& place, const std::string& key, const Json& value) const {
        if (names_a_path(key, value)) {
            refuse(path_, place + " is " + shown(value) + ": a path, which an engine would open");
        }
        if (value.is_object()) {
            for (const auto& [name, inner] : value.items()) texts(place + "." + name, name, inner);
        } else if (value.is_array()) {
            for (const Json& inner : value) texts(place, key, inner);
        }
    }

    void file(const std::string& form, const std::string& place, const std::string& key, const Json& value) {
        if (!value.is_string()) other_form(place, value);
        const auto& name = value.get_ref<const std::string&>();
        if (name.empty()) return;
        const std::string inside = folder_of(path_) + "/" + name;
        const auto below = sizes_.lower_bound(inside + "/");
        const bool held = form == "file" ? sizes_.count(inside) > 0
                                         : below != sizes_.end() && below->first.rfind(inside + "/", 0) == 0;
        std::string why = why_unsafe(name);
        if (why.empty() && !held) why = "the bundle has no such " + form;
        if (!why.empty()) refuse(path_, place + " is " + shown(value) + ": " + why);
        if (key == "filename") opened.insert(inside);
    }

    // A list of objects, or of objects by name; GenAI also takes one object for a list of one.
    void parts(const std::string& place, const Json& value) {
        const Json members = value.is_array() ? value : Json::array({value});
        for (size_t at = 0; at < members.size(); ++at) {
            const std::string here = value.is_array() ? place + "[" + std::to_string(at) + "]" : place;
            const Json& member = members[at];
            if (!member.is_object()) other_form(here, member);
            const bool by_name =
                std::all_of(member.begin(), member.end(), [](const Json& part) { return part.is_object(); });
            if (!by_name) object("part", here, member);
            for (const auto& [name, part] : member.items()) {
                if (by_name) object("part", here + "." + name, part);
            }
        }
    }

    void providers(const std::string& place, const Json& value) const {
        if (!value.is_array()) other_form(place, value);
        for (size_t at = 0; at < value.size(); ++at) {
            const std::string here = place + "[" + std::to_string(at) + "]";
            if (!value[at].is_object()) other_form(here, value[at]);
            for (const auto& [name, given] : value[at].items()) {
                if (!given.is_object()) other_form(here + "." + name, given);
                require_options(path_, name, given, here + "." + name);
            }
        }
    }

    const std::string& path_;
    const Sizes& sizes_;
};

// Everything in a variant's folder but real folders, by path below the bundle; links and strange files are refused.
Sizes files_of(const fs::path& folder, const std::string& home) {
    Sizes sizes;
    std::vector<std::string> waiting{home}, paths;
    while (!waiting.empty()) {
        const std::string at = waiting.back();
        waiting.pop_back();
        for (const auto& entry : fs::directory_iterator(folder / fs::u8path(at))) {
            const std::string path = at + "/" + entry.path().filename().u8string();
            const fs::file_status status = entry.symlink_status();
            if (fs::is_directory(status)) {
                waiting.push_back(path);
                continue;
            }
            if (!fs::is_regular_file(status)) refuse(path, "a link or a special file, and a bundle holds none");
            sizes[path] = entry.file_size();
            paths.push_back(path);
        }
    }
    const std::string twice = clash(paths);
    if (!twice.empty()) refuse(home, twice.substr(0, 240) + " are the same to some file systems");
    return sizes;
}

std::set<std::string> require_json(const fs::path& folder, const Sizes& sizes) {
    std::set<std::string> opened;
    for (const auto& [path, size] : sizes) {
        const std::string name = name_of(path), folded = lower(name);
        if (name != folded && holds(rules().at("known"), folded)) {
            refuse(path, "Windows and macOS would open it as " + quoted(folded));
        }
        if (!ends_with(folded, ".json")) continue;
        const bool is_config = name == CONFIG;
        const size_t most = is_config ? CONFIG_BYTES : MAX_JSON;
        const std::string text = read_bytes(folder / fs::u8path(path), most);
        try {
            check_json(text, is_config, most);
        } catch (const Refused&) {
            throw;
        } catch (const std::runtime_error& error) {
            refuse(path, std::string("it is no JSON that every engine reads alike: ") + error.what());
        }
        if (text[text.find_first_not_of(" \t\r\n")] != '{') refuse(path, "it is no JSON object");
        if (!is_config) continue;
        Config config(path, sizes);
        config.object("root", "", Json::parse(text));
        opened.merge(config.opened);
    }
    return opened;
}

void require_graph(const fs::path& folder, const std::string& path, const Sizes& sizes,
                   const std::set<std::string>& graphs) {
    if (ends_with(lower(path), ".ort")) {
        refuse(path, "the engine would read it in ONNX Runtime's own format, which is not looked through");
    }
    References found;
    try {
        found = references(folder / fs::u8path(path));
    } catch (const std::runtime_error& error) {
        refuse(path, std::string("it is not an ONNX model: ") + error.what());
    }
    if (found.has_settings) {
        refuse(path, "its metadata has an 'ort_config', by which the engine would take other settings");
    }
    for (const auto& [location, needs] : found.files) {
        const std::string inside = folder_of(path) + "/" + location, why = why_unsafe(location);
        if (!why.empty()) refuse(path, "it names the file " + cut(location) + ": " + why);
        const auto size = sizes.find(inside);
        if (size == sizes.end()) refuse(path, "it names " + cut(location) + ", which is not in the bundle");
        if (graphs.count(inside)) refuse(path, "it names " + cut(location) + " as its data, which is a graph");
        if (size->second < needs) {
            refuse(path, "it wants " + std::to_string(needs) + " bytes of " + cut(location) + ", which has " +
                             std::to_string(size->second));
        }
    }
}

}  // namespace

void require_safe(const fs::path& folder, const Json& variant, const std::string& kind) {
    const std::string path = variant.at("path").get<std::string>();
    const std::string home = "model/" + variant.at("name").get<std::string>();
    if ((path + "/").rfind(home + "/", 0) != 0) refuse(path, "the variant's files lie in " + quoted(home));
    const Sizes sizes = files_of(folder, home);
    require_options("edgekit.json", value_or<std::string>(variant, "ep", "cpu"),
                    value_or(variant, "ep_options", Json::object()), "ep_options");
    std::set<std::string> graphs = require_json(folder, sizes);
    if (kind != "llm") graphs.insert(path);
    if (kind != "llm" && !sizes.count(path)) {
        refuse(path, "the engine would open it, and it is no file of the bundle");
    }
    for (const auto& [name, size] : sizes) {
        if (ends_with(lower(name), ".onnx") || ends_with(lower(name), ".ort")) graphs.insert(name);
    }
    for (const std::string& graph : graphs) require_graph(folder, graph, sizes, graphs);
}

}  // namespace edgekit
