// A language model: chat template, greedy or sampled generation as a stream of text, and logits.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "answers.h"
#include "bundle.h"
#include "engines.h"
#include "genai.h"
#include "text.h"

namespace edgekit {

// What an engine keeps an answer to: kind is "json_schema" or "lark_grammar".
struct Guidance {
    std::string kind, data;
};

// Tokens that a call of a GenAI folder's static graphs takes; 1 where any number can be read.
int64_t window_of(const std::filesystem::path& model);

class LlmBundle {
  public:
    LlmBundle(Opened found, Engines& engines);

    // Token ids of a text, special tokens in it recognised; Refused where the tokenizer has none for a part of it. A
    // plain text begins with the contract's prefix, once: the engine adds none; a rendered one with what its template
    // wrote.
    Tokens encode(const std::string& text, bool rendered = false) const;
    std::string decode(const Tokens& tokens) const;  // a broken character becomes U+FFFD
    Streamer streamer() const;                       // decodes an answer token by token; this must outlive it

    // The prompt text of a conversation [{"role", "content"}, ...], by the bundle's own chat template.
    // tools: functions that may be called, [{"type": "function", "function": {"name", "description", "parameters"}}].
    // An answer that called functions has "tool_calls", and what one said is of the role "tool". think: false has the
    // template leave out the thoughts; Refused where it cannot.
    std::string render(const Ordered& messages, const Ordered& tools, bool think = true) const;

    void require_adapter(const std::string& name) const;  // Refused where the bundle has none of this name
    // Refused where an answer of so many tokens, drawn so, cannot be speculated.
    void require_speculation(const std::string& way, const Tokens& ids, int64_t new_tokens, bool within_reach) const;
    // Refused where there is no text, nothing to generate, or no room for it.
    void require_room(const Tokens& ids, int64_t new_tokens) const;
    // A generator that has read nothing yet, with room for `ids`, which the engine fills up to whole windows, and
    // `new_tokens` more; Refused for an adapter that the bundle has not.
    Generator start(const Tokens& ids, int64_t new_tokens, const Search& search = {},
                    const std::optional<Guidance>& guidance = {}) const;

    // What the model expects after each of the last `keep` tokens of a text that is read part by part: a part of one
    // token goes the way of decoding. A model that keeps only the last token's logits is read token by token, one of
    // static graphs in whole windows.
    Logits logits_in_steps(std::vector<Tokens> parts, size_t keep) const;

    // Whether a text of `before` tokens that grows to `after` must be read anew: LongRoPE's factors are others for one
    // that grows past reread_beyond, those of its beginning too, and the engine goes on with the keys that it has.
    bool crosses(size_t before, size_t after) const;

    const Opened opened;
    const int64_t max_length;  // tokens of prompt and answer together
    const int64_t window;      // see window_of

    const Json answers;                      // of the contract: how an answer reads and is drawn
    const std::string calls;                 // its family's form of calls; empty for none
    const std::vector<std::string> special;  // the marks that are special tokens
    const int64_t budget;                    // tokens of an answer where nobody says otherwise
    const std::map<int32_t, std::string> marks;  // the tokens that cut an answer
    const std::optional<int64_t> reread_beyond;
    const std::vector<std::string> adapters;  // the names of those that can be put on it

  private:
    int64_t filled(int64_t length) const;  // a prompt's, in whole windows: without room for it the engine aborts
    void engine_decode(const Tokens& tokens, std::string& text) const;  // which may end at a broken character
    Logits logits_of_windows(const Tokens& ids, size_t keep) const;
    void put_on(OgaGenerator* generator, const std::string& adapter) const;
    std::set<int64_t> with_end_of_turn(std::set<int64_t> ends) const;

    const GenAi& genai_;
    int64_t vocab_size_;
    Tokens prefix_;  // what begins a plain text
    Owned<OgaModel> model_;
    Owned<OgaTokenizer> tokenizer_;
    mutable std::mutex wearing_;
    mutable std::optional<Owned<OgaAdapters>> worn_;  // made for the first that is asked for; goes before the model
    mutable std::set<std::string> loaded_;

  public:
    // The tokens that end an answer: the contract's, and the one that the chat template ends a turn with.
    const std::set<int64_t> eos_token_ids;
};

}  // namespace edgekit
