#include "bundle.h"

#include "manifest.h"
#include "refused.h"
#include "words.h"

namespace fs = std::filesystem;

namespace edgekit {

fs::path Opened::model() const { return inside(folder, variant.at("path").get<std::string>()); }

Opened find_bundle(const Wanted& wanted, Engines& engines) {
    Json manifest = read_manifest(wanted.folder);
    Json variant = choose_variant(manifest, wanted.variant, wanted.foreign, engines);
    check_files(wanted.folder, manifest, variant.at("name").get<std::string>(), wanted.hashes);
    Opened opened{wanted.folder, std::move(manifest), std::move(variant), wanted.threads};
    if (opened.kind() != "llm" && opened.kind() != "tensor") {
        throw Refused("the bundle holds a model of the unknown kind " + quoted(opened.kind()), "", "bundle", "requires");
    }
    return opened;
}

void cannot_open(const std::string& engine, const std::string& words) {
    if (lower(words).find("alloc") != std::string::npos) throw EngineError(words);
    throw Refused(engine + " cannot open the model: " + first_line(words, 300),
                  "verify the bundle (edgekit verify); if it is whole, take a later engine");
}

}  // namespace edgekit
