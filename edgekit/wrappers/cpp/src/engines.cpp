#include "engines.h"

#include <algorithm>

#include "environment.h"
#include "refused.h"

namespace fs = std::filesystem;

namespace edgekit {
namespace {

#ifndef EDGEKIT_VERSION
#define EDGEKIT_VERSION "unversioned"  // as CMakeLists.txt has it; an app's own build may define it
#endif

#if defined(_WIN32)
const std::string PREFIX, SUFFIX = ".dll";
#elif defined(__APPLE__)
const std::string PREFIX = "lib", SUFFIX = ".dylib";
#else
const std::string PREFIX = "lib", SUFFIX = ".so";
#endif

// The library of this name beside the runner: "libonnxruntime.so", or with a version behind it.
fs::path beside(const std::string& name) {
    const std::string file_name = PREFIX + name + SUFFIX, versioned = file_name + ".";
    const fs::path folder = own_folder();
    if (fs::exists(folder / file_name)) return folder / file_name;
#ifdef __ANDROID__
    return file_name;  // an APK's libraries need not be files: the loader knows them by name
#endif
    std::vector<fs::path> found;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(folder, failed)) {
        const std::string file = entry.path().filename().u8string();
        if (file.rfind(versioned, 0) == 0) found.push_back(entry.path());
    }
    return found.empty() ? fs::path() : *std::max_element(found.begin(), found.end());
}

// The engine that is linked into this program, known by one of its functions.
Library linked(const char* function) {
    const Library own = Library::linked();
    if (!own.has(function)) throw std::runtime_error("there is none beside the runner");
    return own;
}

// "0.14.1" of libonnxruntime-genai.so.0.14.1; empty where the name has no version.
std::string version_in(const fs::path& library) {
    const std::string name = library.filename().u8string();
    const size_t at = name.find(SUFFIX + ".");
    return at == std::string::npos ? "" : name.substr(at + SUFFIX.size() + 1);
}

[[noreturn]] void missing(const std::string& title, const std::string& why, const std::string& option,
                          const std::string& axis) {
    throw Refused(title + " cannot be loaded: " + why, "put its library beside the runner, or give " + option + " FILE",
                  "tool-missing", axis);
}

}  // namespace

const Ort& Engines::onnxruntime() {
    if (!loaded_onnxruntime_) {
        place_onnxruntime();
        try {
            loaded_onnxruntime_ = std::make_unique<Ort>(onnxruntime_.empty() ? linked("OrtGetApiBase")
                                                                             : Library(onnxruntime_));
        } catch (const std::runtime_error& error) {
            missing("ONNX Runtime", error.what(), "--onnxruntime", "onnxruntime");
        }
    }
    return *loaded_onnxruntime_;
}

const GenAi& Engines::genai() {
    if (!loaded_genai_) {
        place_onnxruntime();
        if (genai_.empty()) genai_ = beside("onnxruntime-genai");
        try {
            loaded_genai_ = std::make_unique<GenAi>(genai_.empty() ? linked("OgaCreateModelFromConfig")
                                                                   : GenAi::load(genai_, onnxruntime_));
            if (genai_version_.empty()) genai_version_ = version_in(genai_);
        } catch (const std::runtime_error& error) {
            if (onnxruntime_.empty()) onnxruntime();  // where both are missing, what everything needs is told
            missing("ONNX Runtime GenAI", error.what(), "--genai", "onnxruntime_genai");
        }
    }
    return *loaded_genai_;
}

const Ort& Engines::onnxruntime_of(const std::string& kind) {
    if (kind != "llm") return onnxruntime();
    if (!genais_onnxruntime_) {
        const GenAi& its = genai();
        try {
            genais_onnxruntime_ = std::make_unique<Ort>(its.onnxruntime());
        } catch (const std::runtime_error& error) {
            missing("ONNX Runtime", error.what(), "--onnxruntime", "onnxruntime");
        }
    }
    return *genais_onnxruntime_;
}

// Where it lies, as far as that is known: GenAI is told, and finds its own else.
void Engines::place_onnxruntime() {
    set_environment("ORT_DISABLE_TELEMETRY", "1");  // read when an engine is loaded
    if (onnxruntime_.empty()) onnxruntime_ = beside("onnxruntime");
}

const Ort* Engines::loaded(const std::string& kind) const {
    return kind == "llm" ? genais_onnxruntime_.get() : loaded_onnxruntime_.get();
}

Json Engines::places(const std::string& kind) const {
    Json found = Json::object();
    const Json named = versions(kind);
    const auto add = [&](const char* name, const std::string& file) {
        found[name] = {{"version", named.at(name)}, {"file", file}};
    };
    if (const Ort* const its = loaded(kind)) add("onnxruntime", its->file());
    if (kind == "llm" && loaded_genai_) add("onnxruntime-genai", loaded_genai_->file());
    return found;
}

Json Engines::others(const std::string& kind) const {
    Json found = Json::array();
    const Ort* const its = loaded(kind);
    for (const std::string& file : files_with("OrtGetApiBase")) {
        if (!its || file != its->file()) found.push_back(file);
    }
    return found;
}

Json Engines::versions(const std::string& kind) const {
    Json named = {{"edgekit-runner", EDGEKIT_VERSION}};
    if (const Ort* const its = loaded(kind)) named["onnxruntime"] = its->version();
    if (kind == "llm" && loaded_genai_) named["onnxruntime-genai"] = genai_version_.empty() ? "unknown" : genai_version_;
    return named;
}

}  // namespace edgekit
