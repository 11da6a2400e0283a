#include "answers.h"

#include <algorithm>
#include <cmath>

#include "text.h"

namespace edgekit {

Sampling Sampling::of(const Json& stated, const Json& asked) {
    const auto either = [&](const char* name) {
        const auto said = optional<double>(asked, name);
        return said ? said : optional<double>(stated, name);
    };
    return {either("temperature").value_or(0), either("top_k"), either("top_p"), either("min_p"),
            either("repetition_penalty"),      either("seed")};
}

Search Sampling::options() const {
    const double penalty = repetition_penalty.value_or(1);
    if (temperature <= 0) return {{"do_sample", false}, {"repetition_penalty", penalty}};
    Search found = {{"do_sample", true}, {"temperature", temperature}, {"repetition_penalty", penalty}};
    if (top_k) found.emplace_back("top_k", *top_k);
    if (top_p) found.emplace_back("top_p", *top_p);
    if (seed) found.emplace_back("random_seed", *seed);
    return found;
}

std::optional<double> Sampling::reach() const {
    if (temperature <= 0 || !min_p || *min_p <= 0) return {};
    return -temperature * std::log(*min_p);
}

void Splitter::turn(bool inside, const Show& show) {
    finish(show);
    inside_ = inside;
    fresh_ = true;
}

void Splitter::push(const std::string& text, const Show& show) {
    held_ += text;
    while (true) {
        const std::string& mark = inside_ ? end_ : begin_;
        const size_t at = mark.empty() ? std::string::npos : held_.find(mark);
        if (at == std::string::npos) {
            const size_t keep = mark.empty() ? 0 : overlap(held_, mark);
            const std::string shown = held_.substr(0, held_.size() - keep);
            held_.erase(0, shown.size());
            part(shown, show);
            return;
        }
        const std::string before = held_.substr(0, at);
        held_.erase(0, at + mark.size());
        part(before, show);
        inside_ = !inside_;
        fresh_ = true;
    }
}

void Splitter::finish(const Show& show) {
    std::string shown;
    shown.swap(held_);
    part(shown, show);
}

void Splitter::part(std::string text, const Show& show) {
    if (fresh_) {
        text.erase(0, std::min(text.find_first_not_of('\n'), text.size()));
        fresh_ = text.empty();
    }
    if (!text.empty()) show(inside_, text);
}

}  // namespace edgekit
