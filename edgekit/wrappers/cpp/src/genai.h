// ONNX Runtime GenAI, loaded from a file: models, tokenizers and generators that release themselves.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "genai_abi.h"
#include "library.h"

namespace edgekit {

using Tokens = std::vector<int32_t>;

template <typename Part>
using Owned = std::unique_ptr<Part, void(OGA_API_CALL*)(Part*)>;

class GenAi {
  public:
    explicit GenAi(Library library);

    // From a file. onnxruntime: the file of ONNX Runtime, which GenAI loads by itself; empty where it is linked.
    static Library load(const std::filesystem::path& library, const std::filesystem::path& onnxruntime);

    std::string file() const { return library_.file_of("OgaDestroyResult"); }
    // The ONNX Runtime that it runs models on: one of its own (iOS), or else the one that it opens by itself. Throws
    // std::runtime_error where there is none.
    Library onnxruntime() const;
    const GenAiFunctions& api() const { return api_; }
    void check(OgaResult* result) const;  // throws EngineError with GenAI's words

    // What a function that makes something made.
    template <typename Part, typename Make>
    Owned<Part> made(Make make, void(OGA_API_CALL* release)(Part*)) const {
        Part* part = nullptr;
        check(make(&part));
        return Owned<Part>(part, release);
    }

    // The text that a function gives, copied.
    template <typename Give>
    std::string text(Give give) const {
        std::string copy;
        text(give, copy);
        return copy;
    }
    template <typename Give>
    void text(Give give, std::string& copy) const {
        const char* given = nullptr;
        check(give(&given));
        copy = given;
        api_.OgaDestroyString(given);
    }

  private:
    Library library_;
    GenAiFunctions api_;
};

// float32 rows, one for each token that was read last.
struct Logits {
    size_t rows = 0, width = 0;
    std::vector<float> values;

    const float* row(size_t at) const { return values.data() + at * width; }
    void add(const Logits& more, size_t begin, size_t end);  // rows of others
};

class Generator {
  public:
    Generator(const GenAi& genai, Owned<OgaGenerator> generator) : genai_(&genai), generator_(std::move(generator)) {}

    void append(const int32_t* tokens, size_t count);
    void append(const Tokens& tokens) { append(tokens.data(), tokens.size()); }
    void rewind(size_t length);  // forgets all but the first tokens
    // What is read on another thread ends with EngineError, or (false) may be read again.
    void terminate(bool yes) const;
    void reread(const Tokens& tokens);  // from the beginning
    void generate();
    int32_t token() const;  // the one that generate() chose
    bool done() const;
    size_t passes() const;  // of the model behind the prompt, so far; only of one that speculates
    Logits logits() const;
    Logits next_logits() const;  // one row, what generate() will choose from
    void force(int32_t token);   // generate() will choose this one
    void keep_within(double reach);  // and none whose logit is further below the best

  private:
    Owned<OgaTensor> next() const;
    void change(const std::function<void(float* values, size_t width)>& by);

    const GenAi* genai_;
    Owned<OgaGenerator> generator_;
};

}  // namespace edgekit
