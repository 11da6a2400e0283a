#include "bundle.h"

#include "guard.h"
#include "manifest.h"
#include "refused.h"
#include "words.h"

namespace fs = std::filesystem;

namespace edgekit {

fs::path Opened::model() const { return inside(folder, variant.at("path").get<std::string>()); }

Opened find_bundle(const Wanted& wanted, Engines& engines) {
    Opened opened{wanted.folder, read_manifest(wanted.folder), {}, wanted.threads};
    try {
        opened.variant = choose_variant(opened.manifest, wanted.variant, wanted.foreign, engines);
        check_files(wanted.folder, opened.manifest, opened.variant.at("name").get<std::string>(), wanted.hashes);
        opened.model();
        require_safe(wanted.folder, opened.variant, opened.kind());
    } catch (const Json::exception& error) {  // something in it has another type than a manifest's
        throw Refused(std::string("edgekit.json cannot be used: ") + error.what(), "fetch the bundle again");
    }
    if (opened.kind() != "llm" && opened.kind() != "tensor") {
        throw Refused("the bundle holds a model of the unknown kind " + quoted(opened.kind()), "", "bundle",
                      "requires");
    }
    return opened;
}

void cannot_open(const std::string& engine, const std::string& words) {
    if (lower(words).find("alloc") != std::string::npos) throw EngineError(words);
    throw Refused(engine + " cannot open the model: " + first_line(words, 300),
                  "verify the bundle (edgekit verify); if it is whole and for this chip, take a later engine");
}

}  // namespace edgekit
