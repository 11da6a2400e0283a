// The core's readers of a bundle that nobody verified, for libFuzzer; without it a program that reads the files it is
// given, one after another. EDGEKIT_READER names the reader, EDGEKIT_BUNDLE a bundle to put the input into.
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "bundle.h"
#include "goldens.h"
#include "guard.h"
#include "manifest.h"
#include "npz.h"
#include "refused.h"
#include "steady.h"
#include "strict.h"

namespace fs = std::filesystem;
using namespace edgekit;

namespace {

struct Reader {
    const char* file;  // in the bundle
    void (*read)(const fs::path& bundle);
};

void read_manifest_and_open(const fs::path& bundle) {
    static auto& engines = *new Engines(std::getenv("EDGEKIT_ENGINE"), std::getenv("EDGEKIT_ENGINE"), "0.14.1");
    for (const bool foreign : {false, true}) {
        try {
            find_bundle({bundle, {}, 0, true, foreign}, engines);
        } catch (const Refused&) {
            if (foreign) throw;
        }
    }
}

void read_config(const fs::path& bundle) {
    require_safe(bundle, {{"name", "portable"}, {"path", "model/portable"}}, "llm");
}

void read_graph(const fs::path& bundle) {
    require_safe(bundle, {{"name", "portable"}, {"path", "model/portable/model.onnx"}}, "tensor");
}

// Arrays that a bundle brings are inputs, and goldens of either kind.
void read_arrays(const fs::path& bundle) {
    static const auto& llm = *new Json{{"kind", "llm"}, {"margin", .5}};
    static const auto& limits = *new Json{{"cosine_min", .99}, {"length_tolerance", .1}};
    static const auto& tensor = *new Json{{"kind", "tensor"}, {"same_kernels", limits}, {"elsewhere", limits}};
    const Arrays arrays = read_npz(bundle / "check/goldens.npz");
    for (const Json* rule : {&llm, &tensor}) {
        try {
            compare(arrays, arrays, *rule);
        } catch (const std::exception&) {  // whose words act() makes a refusal
        }
    }
    feeds(arrays);
}

void read_plan(const fs::path& bundle) {
    const Json plan = parse_json(read_bytes(bundle / "check/plan.json"), true);
    inside(bundle, plan.at("inputs").get<std::string>());
    const Json& goldens = plan.at("goldens");
    const Arrays arrays = read_npz(inside(bundle, goldens.at("file").get<std::string>()));
    compare(arrays, arrays, goldens.at("rule"));
    int left = 100;  // of units that take no time
    const auto unit = [&left] { return left-- ? 1.0 : throw Refused("never steady"); };
    warm_up(unit, plan.at("bench").at("warmup"));
}

const std::map<std::string, Reader>& readers() {
    static const auto& made = *new std::map<std::string, Reader>{
        {"manifest", {"edgekit.json", read_manifest_and_open}},
        {"config", {"model/portable/genai_config.json", read_config}},
        {"graph", {"model/portable/model.onnx", read_graph}},
        {"arrays", {"check/goldens.npz", read_arrays}},
        {"plan", {"check/plan.json", read_plan}}};
    return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const std::string name = std::getenv("EDGEKIT_READER");
    static const Reader& reader = readers().at(name);
    static const fs::path bundle = std::getenv("EDGEKIT_BUNDLE");
    std::ofstream(bundle / reader.file, std::ios::binary)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    try {
        reader.read(bundle);
    } catch (const Refused& refused) {
        if (std::string(refused.what()).find('\n') != std::string::npos) std::abort();
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception& error) {
        // What a plan or an array lacks is told by act(), in words of its own.
        if (name != "plan" && name != "arrays") throw;
    }
    return 0;
}

#ifndef EDGEKIT_LIBFUZZER
int main(int count, char** files) {
    for (int at = 1; at < count; ++at) {
        std::ifstream stream(files[at], std::ios::binary);
        const std::string input{std::istreambuf_iterator<char>(stream), {}};
        std::fprintf(stderr, "%s\n", files[at]);  // the last one is the one that ended it
        LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
    }
    return 0;
}
#endif
