// Text out of tokens while they come: whole characters only, and nothing beyond a stop string.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "genai.h"

namespace edgekit {

using Decode = std::function<void(const Tokens&, std::string& text)>;  // over what is in `text`

// Decodes tokens one by one into whole characters.
//
// A token may end inside a character, and how it is written may depend on the one before it (a leading space). So each
// text is the difference between decoding a few tokens with and without the new ones. GenAI ends a text at its first
// broken character, and its own stream loses the letters that follow: here they are decoded without it.
//
// Its memory is of the texts before, so that a token takes none. decode: the engine's own; a broken or unfinished character is U+FFFD, what follows it may be missing.
class Streamer {
  public:
    explicit Streamer(Decode decode) : decode_(std::move(decode)) {}

    std::string push(int32_t token);  // the text that this token completes; empty while a character is unfinished
    std::string finish();             // the text of what is still unfinished, with U+FFFD for its last character

  private:
    std::string text();
    std::string pass_on(std::string text, const Tokens& shown);

    Decode decode_;
    Tokens shown_;  // the tokens of the piece before, for their effect on the next
    Tokens new_, both_;
    std::string before_, after_;  // the texts of shown_ and both_
};

// All the text of some tokens, where `decode` may end it at a broken character.
std::string whole_text(const Decode& decode, const Tokens& tokens);

// Without a broken character at its end.
std::string without_unfinished(std::string text);

// How many bytes at the end of `text` may begin `mark`.
size_t overlap(const std::string& text, const std::string& mark);

// Passes text on, but holds back what may be the beginning of a stop string.
class StopHolder {
  public:
    explicit StopHolder(const std::vector<std::string>& stops);

    std::string push(const std::string& text);  // what may be shown now
    std::string finish();                       // what was held back and turned out to be no stop string
    bool stopped() const { return stopped_; }   // a stop string came; nothing of it or after it is passed on

  private:
    std::vector<std::string> stops_;
    std::string held_;
    bool stopped_ = false;
};

}  // namespace edgekit
