// The key-value caches of a language model: prompts are read in pieces, and what a cache holds is not read again.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "llm.h"
#include "stop.h"

namespace edgekit {

constexpr size_t PIECE = 128;  // tokens of a prompt that are read at once: a place to stop, and few logits

// A generator with what it has read.
struct Slot {
    Generator generator;
    Search options = {};   // a generator's are fixed
    Tokens read = {};      // those that it was given and those that it chose, the last of these not read yet
    bool beyond = false;   // its keys are those of a text beyond the border of LongRoPE
    bool keeps = true;     // it may go on with another prompt
    size_t reused = 0;     // tokens that were not read again for the last prompt
};

// What a prompt asks of a generator.
struct Start {
    Tokens ids;
    int64_t new_tokens;
    Search options;
    std::optional<Guidance> guidance = {};
    bool seeded = false;  // drawn by a seed, which a kept generator has gone on from
};

using Progress = std::function<void(size_t read, size_t of)>;  // tokens of the prompt

// Any thread may call.
class Slots {
  public:
    // most: caches that are kept at a time, each of the bundle's max_length; 0 keeps none, and each is as long as its
    // text. piece: tokens that are read at once.
    Slots(const LlmBundle& bundle, size_t most, size_t piece = PIECE)
        : bundle_(bundle), most_(most), piece_(piece), once_(!continues(bundle.opened.ep())) {}

    // A cache that has read the prompt, or as much of it as `stop` let it; give it back. Throws Refused as `start` does.
    Slot begin(const Start& start, Stop& stop, const Progress& progress);
    // Reads a text anew, whose keys are others now that it is longer.
    void reread(Slot& slot, const Tokens& whole, Stop& stop) const;
    void give_back(Slot slot);
    size_t clear();       // how many were dropped of those that no answer uses
    size_t idle() const;  // how many there are

    bool reuses() const { return most_ && !once_ && rewinds_ && bundle_.window == 1; }
    bool stops_in_prompt() const { return !once_; }

    static bool continues(const std::string& ep);  // whether GenAI reads on behind what it has read

  private:
    Slot made(const Start& start);
    std::optional<Slot> taken(const Start& start);
    bool is_beyond(const Tokens& text) const;
    size_t end_of_piece(size_t at, size_t of) const;
    void read(Slot& slot, const Tokens& ids, Stop& stop, const Progress& progress) const;

    const LlmBundle& bundle_;
    const size_t most_, piece_;
    std::atomic<bool> once_;            // the engine takes a prompt in one piece only
    std::atomic<bool> rewinds_{true};  // and forgets the end of a text
    mutable std::mutex mutex_;
    std::vector<Slot> idle_;  // the one that was used last is the last
};

}  // namespace edgekit
