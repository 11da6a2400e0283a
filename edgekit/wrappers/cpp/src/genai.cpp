#include "genai.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "answers.h"
#include "arrays.h"
#include "environment.h"
#include "refused.h"

namespace fs = std::filesystem;

namespace edgekit {

namespace {

// The names by which it opens ONNX Runtime.
#if defined(_WIN32)
const char* const OPENED[] = {"onnxruntime.dll"};
#elif defined(__APPLE__)
const char* const OPENED[] = {"libonnxruntime.dylib"};
#else
const char* const OPENED[] = {"libonnxruntime.so", "libonnxruntime.so.1"};
#endif

struct Form {
    int32_t type;  // OgaElementType
    size_t rows, width;
};

// Of a tensor [1, tokens, vocabulary].
Form form_of(const GenAi& genai, OgaTensor* tensor) {
    const GenAiFunctions& api = genai.api();
    int32_t type = 0;
    size_t dims = 0;
    genai.check(api.OgaTensorGetType(tensor, &type));
    genai.check(api.OgaTensorGetShapeRank(tensor, &dims));
    std::vector<int64_t> shape(dims);
    genai.check(api.OgaTensorGetShape(tensor, shape.data(), dims));
    if (dims != 3 || shape[0] != 1) throw EngineError("the model's logits have not three dimensions");
    return {type, static_cast<size_t>(shape[1]), static_cast<size_t>(shape[2])};
}

Logits rows_of(const GenAi& genai, OgaTensor* tensor) {
    const auto [type, rows, width] = form_of(genai, tensor);
    void* data = nullptr;
    genai.check(genai.api().OgaTensorGetData(tensor, &data));
    Logits logits{rows, width, {}};
    logits.values.resize(logits.rows * logits.width);
    const auto* halves = static_cast<const uint16_t*>(data);
    if (type == OGA_FLOAT32) {
        std::memcpy(logits.values.data(), data, logits.values.size() * sizeof(float));
    } else if (type == OGA_FLOAT16) {
        for (size_t at = 0; at < logits.values.size(); ++at) logits.values[at] = half_to_float(halves[at]);
    } else if (type == OGA_BFLOAT16) {
        for (size_t at = 0; at < logits.values.size(); ++at) logits.values[at] = bfloat16_to_float(halves[at]);
    } else {
        throw EngineError("the model's logits are of type " + std::to_string(type));
    }
    return logits;
}

}  // namespace

Library GenAi::load(const fs::path& library, const fs::path& onnxruntime) {
    // GenAI looks for ONNX Runtime beside itself; this variable is how its own Python package tells it another place.
    if (!onnxruntime.empty()) set_environment("ORT_LIB_PATH", onnxruntime.u8string());
    return Library(library);
}

GenAi::GenAi(Library library) : library_(library) {
#define EDGEKIT_LOAD(result, name, arguments)              \
    api_.name = library_.find<decltype(api_.name)>(#name); \
    if (!api_.name) throw std::runtime_error("it has no " #name);
    EDGEKIT_GENAI_FUNCTIONS(EDGEKIT_LOAD)
#undef EDGEKIT_LOAD
#define EDGEKIT_LOAD(result, name, arguments) api_.name = library_.find<decltype(api_.name)>(#name);
    EDGEKIT_GENAI_LATER_FUNCTIONS(EDGEKIT_LOAD)
#undef EDGEKIT_LOAD
    if (api_.OgaSetTelemetryEnabled) api_.OgaSetTelemetryEnabled(false);
}

Library GenAi::onnxruntime() const {
    const char* const entry = "OrtGetApiBase";
    const Library own = library_.around("OgaDestroyResult");
    if (own.has(entry)) return own;
    // Where it looks, in its order (InitApi in its onnxruntime_api.h); Windows binds it to the one of this name.
    std::vector<std::string> names{environment("ORT_LIB_PATH")};
    for (const char* const name : OPENED) {
        names.emplace_back(name);
        names.push_back((fs::u8path(file()).parent_path() / name).u8string());
    }
    for (const std::string& name : names) {
        const std::optional<Library> found = name.empty() ? std::nullopt : Library::named(name);
        if (found && found->has(entry)) return *found;
    }
    throw std::runtime_error("GenAI finds no ONNX Runtime");
}

void GenAi::check(OgaResult* result) const {
    if (!result) return;
    const std::string words = api_.OgaResultGetError(result);
    api_.OgaDestroyResult(result);
    throw EngineError(words);
}

void Generator::append(const int32_t* tokens, size_t count) {
    genai_->check(genai_->api().OgaGenerator_AppendTokens(generator_.get(), tokens, count));
}

void Generator::rewind(size_t length) {
    genai_->check(genai_->api().OgaGenerator_RewindTo(generator_.get(), length));
}

void Generator::reread(const Tokens& tokens) {
    rewind(0);
    append(tokens);
}

void Generator::terminate(bool yes) const {
    genai_->check(
        genai_->api().OgaGenerator_SetRuntimeOption(generator_.get(), "terminate_session", yes ? "1" : "0"));
}

void Generator::generate() { genai_->check(genai_->api().OgaGenerator_GenerateNextToken(generator_.get())); }

int32_t Generator::token() const {
    const int32_t* tokens = nullptr;
    size_t count = 0;
    genai_->check(genai_->api().OgaGenerator_GetNextTokens(generator_.get(), &tokens, &count));
    if (!count) throw EngineError("GenAI gave no token");
    return tokens[0];
}

bool Generator::done() const { return genai_->api().OgaGenerator_IsDone(generator_.get()); }

size_t Generator::passes() const {
    const GenAiFunctions& api = genai_->api();
    const auto stats = genai_->made<OgaSpeculativeStats>(
        [&](OgaSpeculativeStats** out) { return api.OgaGenerator_GetSpeculativeStats(generator_.get(), out); },
        api.OgaDestroySpeculativeStats);
    uint64_t speculated = 0, plain = 0;
    genai_->check(api.OgaSpeculativeStatsGetCount(stats.get(), "target_forward_passes", &speculated));
    genai_->check(api.OgaSpeculativeStatsGetCount(stats.get(), "standard_fallback_steps", &plain));
    return static_cast<size_t>(speculated + plain);
}

Logits Generator::logits() const {
    const GenAiFunctions& api = genai_->api();
    const auto tensor = genai_->made<OgaTensor>(
        [&](OgaTensor** out) { return api.OgaGenerator_GetOutput(generator_.get(), "logits", out); },
        api.OgaDestroyTensor);
    return rows_of(*genai_, tensor.get());
}

Logits Generator::next_logits() const { return rows_of(*genai_, next().get()); }

void Generator::force(int32_t token) {
    change([&](float* values, size_t width) {
        if (token < 0 || static_cast<size_t>(token) >= width) {
            throw EngineError("GenAI's next logits hold no token " + std::to_string(token));
        }
        std::fill(values, values + width, LEAST);
        values[token] = 0;
    });
}

void Generator::keep_within(double reach) {
    change([&](float* values, size_t width) {
        const float least = *std::max_element(values, values + width) - static_cast<float>(reach);
        std::replace_if(values, values + width, [&](float value) { return value < least; }, LEAST);
    });
}

// Change the next logits, which are one row of float32.
void Generator::change(const std::function<void(float*, size_t)>& by) {
    const auto tensor = next();
    const auto [type, rows, width] = form_of(*genai_, tensor.get());
    if (type != OGA_FLOAT32 || rows != 1) throw EngineError("GenAI's next logits are not one row of float32");
    void* data = nullptr;
    genai_->check(genai_->api().OgaTensorGetData(tensor.get(), &data));
    by(static_cast<float*>(data), width);
    genai_->check(genai_->api().OgaGenerator_SetLogits(generator_.get(), tensor.get()));
}

// float32 [1, 1, vocabulary], a copy on the CPU.
Owned<OgaTensor> Generator::next() const {
    const GenAiFunctions& api = genai_->api();
    return genai_->made<OgaTensor>(
        [&](OgaTensor** out) { return api.OgaGenerator_GetLogits(generator_.get(), out); }, api.OgaDestroyTensor);
}

void Logits::add(const Logits& more, size_t begin, size_t end) {
    if (end > more.rows || (rows && width != more.width)) throw EngineError("the model gave other logits than before");
    width = more.width;
    rows += end - begin;
    values.insert(values.end(), more.row(begin), more.row(end));
}

}  // namespace edgekit
