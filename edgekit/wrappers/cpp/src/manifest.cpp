#include "manifest.h"

#include <algorithm>
#include <map>
#include <vector>

#include "host.h"
#include "lasting.h"
#include "refused.h"
#include "sha256.h"
#include "strict.h"
#include "words.h"

namespace fs = std::filesystem;

namespace edgekit {
namespace {

const std::string NAME = "edgekit.json";
const std::string FORMAT = "1.0-draft";  // the only one that this runtime reads
constexpr size_t MAX_BYTES = 8 << 20;
const std::vector<std::string> FEATURES;  // what `requires` may name and this runtime can do
const std::string FETCH = "fetch the bundle again", OWN = "use the runtime that lies in the bundle";

// One text, or each of a list.
std::vector<std::string> texts(const Json& object, const char* key) {
    if (!has(object, key)) return {};
    const Json& value = object.at(key);
    return value.is_array() ? value.get<std::vector<std::string>>()
                            : std::vector<std::string>{value.get<std::string>()};
}

// {1, 24, 0} of "1.24.0rc1": enough to compare releases.
std::vector<long> numbers_of(const std::string& version) {
    std::vector<long> found;
    std::string digits;
    for (char letter : version + ".") {
        if (letter >= '0' && letter <= '9') {
            digits += letter;
        } else {
            if (!digits.empty() && digits.size() < 10) found.push_back(std::stol(digits));
            digits.clear();
            if (letter != '.') break;
        }
    }
    return found;
}

void require_version(const std::string& title, const std::string& package, const std::string& axis,
                     const std::string& floor, const std::string& here) {
    if (!here.empty() && numbers_of(here) >= numbers_of(floor)) return;
    const std::string next = here.empty() ? "tell it: --genai-version VERSION" : "put a later one beside the runner";
    throw Refused(title + " needs " + package + " " + floor + " or later, here is " +
                      (here.empty() ? "one of unknown version" : here),
                  next, "bundle", axis);
}

void require_machine(const std::string& title, const Json& axes) {
    std::vector<std::string> abis;
    for (const std::string& one : texts(axes, "abi")) abis.push_back(abi(one));
    const auto require = [&](const std::string& axis, const std::string& here,
                             const std::vector<std::string>& allowed) {
        if (allowed.empty() || std::count(allowed.begin(), allowed.end(), here)) return;
        throw Refused(title + " is for " + axis + " " + joined(allowed, " or ") + ", this machine is " + here,
                      "take the bundle of the target that fits this machine", "bundle", axis);
    };
    require("os", host_os(), texts(axes, "os"));
    require("abi", host_abi(), abis);
    const std::vector<std::string> socs = texts(axes, "soc");
    const bool same_soc = std::count(socs.begin(), socs.end(), host_soc()) > 0;  // so it has that HTP, too
    for (const char* axis : {"soc", "htp_arch", "qairt"}) {
        const std::vector<std::string> wanted = texts(axes, axis);
        if (wanted.empty() || (same_soc && axis != std::string("qairt"))) continue;
        throw Refused(title + " was compiled for " + axis + " " + joined(wanted, " or ") +
                          ", which this runtime cannot find here",
                      "run it on that device", "bundle", axis);
    }
}

// Throws Refused where an engine of this machine is older than a variant needs.
void require_engines(const std::string& title, const Json& axes, const std::string& kind, Engines& engines) {
    if (has(axes, "min_onnxruntime")) {
        require_version(title, "onnxruntime", "min_onnxruntime", axes.at("min_onnxruntime").get<std::string>(),
                        engines.onnxruntime_of(kind).version());
    }
    if (has(axes, "min_onnxruntime_genai")) {
        engines.genai();
        require_version(title, "onnxruntime-genai", "min_onnxruntime_genai",
                        axes.at("min_onnxruntime_genai").get<std::string>(), engines.genai_version());
    }
}

// Throws Refused where a variant cannot run on this machine, with the axis.
void require_fit(const Json& variant, const std::string& kind, bool foreign, Engines& engines) {
    const Json axes = value_or(variant, "compatibility", Json::object());
    const std::string title = "variant " + quoted(value_or<std::string>(variant, "name", ""));
    if (!foreign) {
        require_machine(title, axes);
        require_engines(title, axes, kind, engines);
    }
    const std::string ep = value_or<std::string>(variant, "ep", "cpu");
    const std::vector<std::string> here = engines.onnxruntime_of(kind).providers();
    if (std::count(here.begin(), here.end(), provider_name(ep))) return;
    throw Refused(title + " runs on the execution provider " + ep + ", which this ONNX Runtime does not have",
                  "take an ONNX Runtime that has it, or another variant", "bundle", "ep");
}

// Throws where what is read below is of another type than a manifest's.
void check_form(const Json& manifest) {
    const auto is_object = [](const Json& one) { return one.is_object(); };
    const auto is_text = [](const Json& one) { return one.is_string(); };
    for (const char* key : {"variants", "files"}) {
        const Json found = value_or(manifest, key, Json::array());
        if (!found.is_array() || !std::all_of(found.begin(), found.end(), is_object)) {
            throw std::runtime_error("its " + std::string(key) + " are no list of objects");
        }
    }
    if (!manifest.at("contract").is_object()) throw std::runtime_error("its contract is no object");
    for (const Json& one : manifest.at("variants")) {
        const Json axes = value_or(one, "compatibility", Json::object());
        if (!value_or(one, "name", Json()).is_string() || !value_or(one, "path", Json()).is_string() ||
            !axes.is_object()) {
            throw std::runtime_error("a variant has no name, path or compatibility");
        }
        for (const char* axis : {"os", "abi"}) {
            const Json names = value_or(axes, axis, Json::array());
            if (!names.is_array() || !std::all_of(names.begin(), names.end(), is_text)) {
                throw std::runtime_error("the " + std::string(axis) + " of a variant is no list of names");
            }
        }
    }
}

Json parsed(const std::string& raw) {
    try {
        Json manifest = parse_json(raw, true, MAX_BYTES);
        if (!manifest.is_object()) throw std::runtime_error("it is no JSON object");
        if (!manifest.contains("format")) throw std::runtime_error("no " + quoted("format"));
        const Json& format = manifest.at("format");
        if (!format.is_string()) throw std::runtime_error("its format is no text");
        if (format.get<std::string>() != FORMAT) {
            throw Refused("the bundle has another format than " + FORMAT + ", the only one that this runtime reads",
                          "rebuild this bundle", "bundle", "format");
        }
        for (const char* key : {"variants", "contract", "name"}) {
            if (!manifest.contains(key)) throw std::runtime_error("no " + quoted(key));
        }
        check_form(manifest);
        return manifest;
    } catch (const Refused&) {
        throw;
    } catch (const std::exception& error) {
        throw Refused(NAME + " cannot be used: " + error.what(), FETCH);
    }
}

}  // namespace

std::string provider_name(const std::string& ep) {
    static const auto& known = lasting(std::map<std::string, std::string>{
        {"cpu", "CPUExecutionProvider"},       {"xnnpack", "XnnpackExecutionProvider"}, {"qnn", "QNNExecutionProvider"},
        {"coreml", "CoreMLExecutionProvider"}, {"nnapi", "NnapiExecutionProvider"},     {"dml", "DmlExecutionProvider"},
        {"webgpu", "WebGpuExecutionProvider"}, {"cuda", "CUDAExecutionProvider"}});
    const auto found = known.find(ep);
    return found == known.end() ? "" : found->second;
}

Json read_manifest(const fs::path& folder) {
    std::string raw;
    if (std::error_code none; fs::is_regular_file(folder / NAME, none)) raw = read_bytes(folder / NAME, MAX_BYTES);
    if (raw.empty()) {
        throw Refused(folder.filename().u8string() + " is not a bundle: it has no " + NAME + " that can be read");
    }
    Json manifest = parsed(raw);
    std::vector<std::string> lacking;
    for (const std::string& feature : texts(manifest, "requires")) {
        if (!std::count(FEATURES.begin(), FEATURES.end(), feature)) lacking.push_back(feature);
    }
    std::sort(lacking.begin(), lacking.end());
    if (!lacking.empty()) {
        throw Refused("the bundle requires " + joined(lacking, ", ") + ", which this runtime lacks", OWN, "bundle",
                      "requires");
    }
    return manifest;
}

Json choose_variant(const Json& manifest, const std::optional<std::string>& name, bool foreign, Engines& engines) {
    std::vector<Json> variants;
    std::vector<std::string> known;
    for (const Json& one : manifest.at("variants")) {
        const std::string its = value_or<std::string>(one, "name", "");
        known.push_back(its);
        if (!name || its == *name) variants.push_back(one);
    }
    if (name && variants.empty()) {
        throw Refused("the bundle has no variant " + quoted(*name), "one of: " + joined(known, ", "), "usage");
    }
    if (foreign) {
        std::stable_partition(variants.begin(), variants.end(), [](const Json& one) {
            return texts(value_or(one, "compatibility", Json::object()), "soc").empty();
        });
        for (Json& one : variants) one.update({{"ep", "cpu"}, {"ep_options", Json::object()}});
    }
    const auto kind = value_or<std::string>(manifest.at("contract"), "kind", "");
    std::optional<Refused> first;
    for (const Json& one : variants) {
        try {
            require_fit(one, kind, foreign, engines);
            return one;
        } catch (const Refused& refusal) {
            if (!first) first = refusal;
        }
    }
    if (first) throw *first;
    throw Refused(NAME + " cannot be used: it lists no variant");
}

fs::path inside(const fs::path& folder, const std::string& relative) {
    const std::string strange("\\:\0", 3);
    bool leads_out =
        relative.empty() || relative.front() == '/' || relative.find_first_of(strange) != std::string::npos;
    const fs::path pure = fs::u8path(relative);
    for (const fs::path& part : pure) leads_out = leads_out || part == "..";
    if (leads_out) throw Refused(NAME + " names " + quoted(relative) + ", which is not inside the bundle");
    std::error_code no_such_name;  // one that no file system takes
    if (!fs::exists(folder / pure, no_such_name)) throw Refused(relative + " is missing from the bundle", FETCH);
    return folder / pure;
}

void check_files(const fs::path& folder, const Json& manifest, const std::string& variant, bool hashes) {
    for (const Json& file : value_or(manifest, "files", Json::array())) {
        const std::string owner = value_or(file, "variant", variant);
        if (value_or<std::string>(file, "role", "") != "model" || owner != variant) continue;
        const std::string name = file.at("path").get<std::string>();
        const fs::path path = inside(folder, name);
        const auto size = fs::file_size(path);
        if (size != file.at("size").get<uintmax_t>()) {
            throw Refused(name + " has " + std::to_string(size) + " bytes instead of " + file.at("size").dump(), FETCH);
        }
        if (hashes && sha256_of(path) != file.at("sha256").get<std::string>()) {
            throw Refused(name + " was changed: its sha256 differs", FETCH);
        }
    }
}

}  // namespace edgekit
