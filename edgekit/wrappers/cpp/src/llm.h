// A language model: chat template, greedy or sampled generation as a stream of text, and logits.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "bundle.h"
#include "engines.h"
#include "genai.h"
#include "text.h"

namespace edgekit {

// Options of GenAI's search, by its names ("min_length", "do_sample").
using Search = std::vector<std::pair<std::string, std::variant<bool, double>>>;

// How the next token is chosen: greedily at temperature 0, else drawn.
Search sampling(double temperature, double top_p, const std::optional<int64_t>& seed);

struct Answer {
    size_t prompt_tokens = 0, tokens = 0;
    std::string reason;   // "eos", "stop" (a stop string), "length" (max_tokens), "max_length" (the bundle's limit)
    double decode_s = 0;  // from the first token to the end
};

class LlmBundle {
  public:
    LlmBundle(Opened found, Engines& engines);

    // Token ids of a text, special tokens in it recognised; Refused where the tokenizer has none for a part of it.
    Tokens encode(const std::string& text) const;
    std::string decode(const Tokens& tokens) const;  // a broken character becomes U+FFFD
    Streamer streamer() const;                       // decodes an answer token by token; this must outlive it

    // The prompt text of a conversation [{"role", "content"}, ...], by the bundle's own chat template.
    std::string render(const Json& messages) const;

    // A generator that has read nothing yet, with room for `ids`, which the engine fills up to whole windows, and
    // `new_tokens` more.
    Generator start(const Tokens& ids, int64_t new_tokens, const Search& search = {},
                    const std::optional<std::string>& json_schema = {}) const;

    struct Question {
        Tokens ids;
        int64_t max_tokens;
        Search search;
        std::vector<std::string> stops;
        std::optional<std::string> json_schema;
    };
    Answer generate(const Question& question, const std::function<void(const std::string&)>& piece) const;

    // What the model expects after each of the last `keep` tokens of a text that is read part by part: a part of one
    // token goes the way of decoding. A model that keeps only the last token's logits is read token by token, one of
    // static graphs in whole windows.
    Logits logits_in_steps(std::vector<Tokens> parts, size_t keep) const;

    const Opened opened;
    const int64_t max_length;  // tokens of prompt and answer together
    const int64_t window;      // tokens that a call of a static graph takes; 1 where any number can be read

  private:
    std::string engine_decode(const Tokens& tokens) const;  // may end at a broken character
    Logits logits_of_windows(const Tokens& ids, size_t keep) const;

    const GenAi& genai_;
    int64_t vocab_size_;
    std::set<int64_t> eos_token_ids_;
    Owned<OgaModel> model_;
    Owned<OgaTokenizer> tokenizer_;
};

}  // namespace edgekit
