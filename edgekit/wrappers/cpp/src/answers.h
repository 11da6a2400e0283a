// How an answer is drawn, and what in it is thought and what is text.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "json.h"

namespace edgekit {

// What is fixed for a generator: options of GenAI's search by its names ("min_length", "do_sample"), and two texts: ADAPTER,
// a name, and SPECULATE, a way.
using Search = std::vector<std::pair<std::string, std::variant<bool, double, std::string>>>;
constexpr const char *ADAPTER = "adapter", *SPECULATE = "speculate";

constexpr float LEAST = -1e9F;  // the logit of a token that is not to be drawn

// How the next token is chosen: greedily at temperature 0, else drawn. What is absent is the engine's own.
struct Sampling {
    double temperature = 0;
    std::optional<double> top_k, top_p, min_p, repetition_penalty, seed;

    // What was asked for, and for what was not, what the bundle's contract states.
    static Sampling of(const Json& stated, const Json& asked);

    Search options() const;
    // How far below the best logit one may be drawn, which GenAI has no option for; none for any.
    std::optional<double> reach() const;
};

// Cuts an answer into thoughts and text.
//
// begin, end: the words around a thought; empty where tokens say it, by `turn`. inside: the prompt has begun a thought.
class Splitter {
  public:
    using Show = std::function<void(bool thought, const std::string& text)>;

    Splitter() = default;
    Splitter(std::string begin, std::string end, bool inside)
        : begin_(std::move(begin)), end_(std::move(end)), inside_(inside) {}

    // A token says that a thought begins or ends here; what was held back before it is shown.
    void turn(bool inside, const Show& show);
    void push(const std::string& text, const Show& show);  // shows what is known now to be thought or text
    void finish(const Show& show);                         // and what was held back and turned out to be no mark

  private:
    void part(std::string text, const Show& show);

    std::string begin_, end_, held_;
    bool inside_ = false;
    bool fresh_ = false;  // nothing but line ends since the last turn
};

}  // namespace edgekit
