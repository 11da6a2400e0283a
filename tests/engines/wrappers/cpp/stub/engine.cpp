// The C interfaces of ONNX Runtime and GenAI that the core calls, on a model that is a function of the text so far: the
// same text has the same answer, and a cache that is not what its text says has another.
//
// Tokens are bytes, and the three marks of tests/engines/wrappers/small_models.py.
#include "engine.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "genai_abi.h"
#include "ort_abi.h"

namespace {

StubEngine engine;

const std::array<std::string, 3> MARKS{"<|user|>", "<|assistant|>", "<|end|>"};
constexpr int32_t FIRST_MARK = 268, END = 270;

// Every object counts while it lives.
struct Counted {
    explicit Counted(std::atomic<int64_t>& alive) : alive_(alive) { ++alive_; }
    ~Counted() { --alive_; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

  private:
    std::atomic<int64_t>& alive_;
};

// The engine is not thread safe: two calls at once end the test.
struct Alone {
    explicit Alone(std::atomic<bool>& used) : used_(used) {
        if (used_.exchange(true)) {
            std::fputs("two threads are in one generator\n", stderr);
            std::abort();
        }
    }
    ~Alone() { used_ = false; }
    Alone(const Alone&) = delete;
    Alone& operator=(const Alone&) = delete;

  private:
    std::atomic<bool>& used_;
};

// So many megabytes, written to, of which each block has some.
using Blocks = std::vector<std::vector<char>>;
Blocks blocks(int megabytes, int each) {
    return Blocks(static_cast<size_t>(megabytes / each), std::vector<char>(static_cast<size_t>(each) << 20, 'x'));
}

void wait_us(int64_t us) {
    if (us > 0) std::this_thread::sleep_for(std::chrono::microseconds(us));
}

const char* copy_of(const std::string& text) {
    char* copy = new char[text.size() + 1];
    std::memcpy(copy, text.c_str(), text.size() + 1);
    return copy;
}

// The value of a key in flat JSON; "" where there is no more. at: where to look, then behind it.
std::string next_value(const std::string& json, const std::string& key, size_t& at) {
    at = json.find("\"" + key + "\":\"", at);
    if (at == std::string::npos) return "";
    std::string value;
    for (at += key.size() + 4; json[at] != '"'; ++at) value += json[at] == '\\' ? json[++at] : json[at];
    return value;
}

}  // namespace

StubEngine* stub_engine() { return &engine; }

struct OgaResult {
    std::string words;
};
struct OgaConfig : Counted {
    OgaConfig() : Counted(engine.others) {}
};
struct OgaModel : Counted {
    OgaModel() : Counted(engine.models), weights(blocks(engine.weights_mb, 24)) {}
    const Blocks weights;
};
struct OgaTokenizer : Counted {
    OgaTokenizer() : Counted(engine.tokenizers) {}
};
struct OgaSequences : Counted {
    OgaSequences() : Counted(engine.others) {}
    std::vector<int32_t> ids;
};
struct OgaAdapters : Counted {
    OgaAdapters() : Counted(engine.others) {}
};
struct OgaGeneratorParams : Counted {
    OgaGeneratorParams() : Counted(engine.others) {}
    double max_length = 0;
};
struct OgaGenerator : Counted {
    explicit OgaGenerator(double most)
        : Counted(engine.generators), max_length(static_cast<size_t>(most)), memory(blocks(engine.cache_mb, 3)) {}
    const size_t max_length;
    const Blocks memory;
    std::vector<int32_t> sequence, cache;  // what it was given and chose; what it has read of that
    int64_t chosen = 0;                    // since it was given something
    bool done = false;
    std::atomic<bool> used{false}, terminated{false};
};

namespace {

OgaResult* failed(const std::string& words) { return new OgaResult{words}; }

// Reads tokens, as long as nobody ends it; then nobody knows what it holds.
OgaResult* read(OgaGenerator& generator, const int32_t* tokens, size_t count) {
    for (size_t at = 0; at < count; ++at) {
        if (generator.terminated) {
            generator.cache.push_back(-1);
            return failed("Session Terminated flag is set");
        }
        wait_us(engine.append_us);
        generator.cache.push_back(tokens[at]);
        ++engine.appended;
    }
    return nullptr;
}

int32_t next_of(const OgaGenerator& generator) {
    if (generator.chosen >= engine.answer_tokens) return END;
    uint32_t hash = 2166136261U;
    for (const int32_t token : generator.cache) hash = (hash ^ static_cast<uint32_t>(token)) * 16777619U;
    return 'a' + static_cast<int32_t>((hash >> 8) % 26);
}

}  // namespace

extern "C" {

const char* OgaResultGetError(const OgaResult* result) { return result->words.c_str(); }
void OgaDestroyResult(OgaResult* result) { delete result; }
void OgaDestroyString(const char* text) { delete[] text; }
OgaResult* OgaCreateConfig(const char*, OgaConfig** out) { return *out = new OgaConfig, nullptr; }
OgaResult* OgaConfigOverlay(OgaConfig*, const char*) { return nullptr; }
OgaResult* OgaConfigClearProviders(OgaConfig*) { return nullptr; }
void OgaDestroyConfig(OgaConfig* config) { delete config; }
OgaResult* OgaCreateModelFromConfig(const OgaConfig*, OgaModel** out) { return *out = new OgaModel, nullptr; }
void OgaDestroyModel(OgaModel* model) { delete model; }
OgaResult* OgaCreateTokenizer(const OgaModel*, OgaTokenizer** out) { return *out = new OgaTokenizer, nullptr; }
void OgaDestroyTokenizer(OgaTokenizer* tokenizer) { delete tokenizer; }
OgaResult* OgaCreateSequences(OgaSequences** out) { return *out = new OgaSequences, nullptr; }
void OgaDestroySequences(OgaSequences* sequences) { delete sequences; }
size_t OgaSequencesGetSequenceCount(const OgaSequences* sequences, size_t) { return sequences->ids.size(); }
const int32_t* OgaSequencesGetSequenceData(const OgaSequences* sequences, size_t) { return sequences->ids.data(); }

OgaResult* OgaTokenizerEncode(const OgaTokenizer*, const char* text, OgaSequences* out) {
    const std::string all = text;
    for (size_t at = 0; at < all.size(); ++at) {
        int32_t id = static_cast<unsigned char>(all[at]);
        for (size_t mark = 0; mark < MARKS.size(); ++mark) {
            if (all.compare(at, MARKS[mark].size(), MARKS[mark]) != 0) continue;
            id = FIRST_MARK + static_cast<int32_t>(mark);
            at += MARKS[mark].size() - 1;
            break;
        }
        out->ids.push_back(id);
    }
    return nullptr;
}

OgaResult* OgaTokenizerDecode(const OgaTokenizer*, const int32_t* tokens, size_t count, const char** text) {
    std::string all;
    for (size_t at = 0; at < count; ++at) {
        if (tokens[at] < 256) all += static_cast<char>(tokens[at]);
    }
    *text = copy_of(all);
    return nullptr;
}

OgaResult* OgaTokenizerApplyChatTemplate(const OgaTokenizer*, const char*, const char* messages, const char*, bool begins,
                                         const char** text) {
    const std::string all = messages;
    std::string prompt;
    for (size_t from = all.find('{'); from != std::string::npos; from = all.find('{', from + 1)) {
        size_t role = from, content = from;
        prompt += "<|" + next_value(all, "role", role) + "|>" + next_value(all, "content", content) + "<|end|>";
    }
    *text = copy_of(prompt + (begins ? "<|assistant|>" : ""));
    return nullptr;
}

OgaResult* OgaCreateGeneratorParams(const OgaModel*, OgaGeneratorParams** out) {
    return *out = new OgaGeneratorParams, nullptr;
}
OgaResult* OgaGeneratorParamsSetSearchNumber(OgaGeneratorParams* params, const char* name, double value) {
    if (std::strcmp(name, "max_length") == 0) params->max_length = value;
    return nullptr;
}
OgaResult* OgaGeneratorParamsSetSearchBool(OgaGeneratorParams*, const char*, bool) { return nullptr; }
OgaResult* OgaGeneratorParamsSetGuidance(OgaGeneratorParams*, const char*, const char*, bool) { return nullptr; }
void OgaDestroyGeneratorParams(OgaGeneratorParams* params) { delete params; }
OgaResult* OgaCreateGenerator(const OgaModel*, const OgaGeneratorParams* params, OgaGenerator** out) {
    return *out = new OgaGenerator(params->max_length), nullptr;
}
void OgaDestroyGenerator(OgaGenerator* generator) { delete generator; }
OgaResult* OgaCreateAdapters(const OgaModel*, OgaAdapters** out) { return *out = new OgaAdapters, nullptr; }
void OgaDestroyAdapters(OgaAdapters* adapters) { delete adapters; }
OgaResult* OgaLoadAdapter(OgaAdapters*, const char*, const char*) { return nullptr; }
OgaResult* OgaSetActiveAdapter(OgaGenerator*, OgaAdapters*, const char*) { return nullptr; }
bool OgaGenerator_IsDone(OgaGenerator* generator) { return generator->done; }

OgaResult* OgaGenerator_SetRuntimeOption(OgaGenerator* generator, const char* key, const char* value) {
    if (std::strcmp(key, "terminate_session") != 0) return failed("no such option");
    generator->terminated = *value == '1';
    return nullptr;
}

OgaResult* OgaGenerator_AppendTokens(OgaGenerator* generator, const int32_t* tokens, size_t count) {
    const Alone alone(generator->used);
    if (engine.refuses_to_go_on && !generator->sequence.empty()) {
        return failed("Continuous decoding is not supported on the selected device type (DML)");
    }
    if (static_cast<int64_t>(count) > engine.largest_piece) engine.largest_piece = static_cast<int64_t>(count);
    // As 0.14.1: it does not read on behind a token that it chose.
    if (generator->sequence.size() > generator->cache.size()) return failed("another shape than was expected");
    generator->sequence.insert(generator->sequence.end(), tokens, tokens + count);
    generator->chosen = 0;
    generator->done = false;
    return read(*generator, tokens, count);
}

OgaResult* OgaGenerator_RewindTo(OgaGenerator* generator, size_t length) {
    const Alone alone(generator->used);
    if (engine.refuses_rewind) return failed("RewindTo is not supported for this model");
    const bool has_chosen = generator->sequence.size() > generator->cache.size();  // as 0.14.1, see slots.cpp
    if (length + has_chosen > generator->cache.size()) return failed("Requested length is greater than the current");
    generator->sequence.resize(length);
    if (length < generator->cache.size()) generator->cache.resize(length);
    return nullptr;
}

OgaResult* OgaGenerator_GenerateNextToken(OgaGenerator* generator) {
    const Alone alone(generator->used);
    if (engine.fails_after >= 0 && generator->chosen >= engine.fails_after) {
        engine.fails_after = -1;
        return failed("the device is gone");
    }
    wait_us(engine.token_us);
    if (generator->cache.size() < generator->sequence.size()) generator->cache.push_back(generator->sequence.back());
    const int32_t token = next_of(*generator);
    generator->sequence.push_back(token);
    ++generator->chosen;
    ++engine.generated;
    generator->done = token == END || generator->sequence.size() >= generator->max_length;
    return nullptr;
}

OgaResult* OgaGenerator_GetNextTokens(const OgaGenerator* generator, const int32_t** tokens, size_t* count) {
    *tokens = &generator->sequence.back();
    *count = 1;
    return nullptr;
}

// Logits are nobody's business here.
OgaResult* OgaGenerator_GetOutput(const OgaGenerator*, const char*, OgaTensor**) { return failed("no logits"); }
OgaResult* OgaGenerator_GetLogits(OgaGenerator*, OgaTensor**) { return failed("no logits"); }
OgaResult* OgaGenerator_SetLogits(OgaGenerator*, OgaTensor*) { return failed("no logits"); }
OgaResult* OgaTensorGetType(OgaTensor*, int32_t*) { return failed("no tensors"); }
OgaResult* OgaTensorGetShapeRank(OgaTensor*, size_t*) { return failed("no tensors"); }
OgaResult* OgaTensorGetShape(OgaTensor*, int64_t*, size_t) { return failed("no tensors"); }
OgaResult* OgaTensorGetData(OgaTensor*, void**) { return failed("no tensors"); }
void OgaDestroyTensor(OgaTensor*) {}

}  // extern "C"

// ONNX Runtime: as much as opening a language model asks of it.
namespace {

char cpu[] = "CPUExecutionProvider";
char* providers[] = {cpu};

OrtStatus* create_env(OrtLoggingLevel, const char*, OrtEnv** out) { return *out = nullptr, nullptr; }
OrtStatus* nothing(const OrtEnv*) { return nullptr; }
OrtStatus* no_memory_info(OrtAllocatorType, OrtMemType, OrtMemoryInfo** out) { return *out = nullptr, nullptr; }
OrtStatus* get_providers(char*** names, int* count) { return *names = providers, *count = 1, nullptr; }
OrtStatus* release_providers(char**, int) { return nullptr; }

const OrtApi* table(uint32_t) {
    static std::array<void (*)(), 300> functions{};
    functions[3] = reinterpret_cast<void (*)()>(create_env);
    functions[6] = reinterpret_cast<void (*)()>(nothing);
    functions[69] = reinterpret_cast<void (*)()>(no_memory_info);
    functions[125] = reinterpret_cast<void (*)()>(get_providers);
    functions[126] = reinterpret_cast<void (*)()>(release_providers);
    return reinterpret_cast<const OrtApi*>(functions.data());
}

const char* version() { return engine.onnxruntime; }

}  // namespace

extern "C" const OrtApiBase* OrtGetApiBase() {
    static const OrtApiBase base{table, version};
    return &base;
}
