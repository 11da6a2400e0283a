#include "text.h"

#include <algorithm>

#include "unicode.h"
#include "words.h"

namespace edgekit {
namespace {

const std::string UNFINISHED = "\xef\xbf\xbd";  // U+FFFD
constexpr size_t MAX_PENDING = 8;  // tokens; a character has 4 bytes at most: what is unfinished for longer is none

}  // namespace

size_t overlap(const std::string& text, const std::string& mark) {
    for (size_t size = std::min(text.size(), mark.size() - 1); size > 0; --size) {
        if (ends_with(text, mark.substr(0, size))) return size;
    }
    return 0;
}

std::string Streamer::push(int32_t token) {
    new_.push_back(token);
    std::string found = text();
    if (!ends_with(found, UNFINISHED)) return pass_on(std::move(found), new_);
    for (auto at = new_.begin() + 1; at < new_.end(); ++at) {
        const Tokens later(at, new_.end());
        std::string rest;
        decode_(later, rest);
        // It begins a character, so the one before it is broken.
        if (!rest.empty() && !ends_with(rest, UNFINISHED)) return pass_on(found + rest, later);
    }
    return new_.size() >= MAX_PENDING ? pass_on(std::move(found), {}) : "";
}

std::string Streamer::finish() { return new_.empty() ? "" : pass_on(text(), {}); }

std::string Streamer::text() {
    before_.clear();
    if (!shown_.empty()) decode_(shown_, before_);
    both_ = shown_;
    both_.insert(both_.end(), new_.begin(), new_.end());
    decode_(both_, after_);
    return after_.substr(behind_letters(after_, letters(before_)));
}

std::string Streamer::pass_on(std::string text, const Tokens& shown) {
    shown_ = shown;
    new_.clear();
    return text;
}

std::string whole_text(const Decode& decode, const Tokens& tokens) {
    std::string text;
    decode(tokens, text);
    if (!ends_with(text, UNFINISHED)) return text;
    Streamer streamer(decode);
    text.clear();
    for (int32_t token : tokens) text += streamer.push(token);
    return text + streamer.finish();
}

std::string without_unfinished(std::string text) {
    if (ends_with(text, UNFINISHED)) text.erase(text.size() - UNFINISHED.size());
    return text;
}

StopHolder::StopHolder(const std::vector<std::string>& stops) {
    for (const std::string& stop : stops) {
        if (!stop.empty()) stops_.push_back(stop);
    }
}

std::string StopHolder::push(const std::string& text) {
    if (stopped_) return "";
    held_ += text;
    size_t first = std::string::npos, keep = 0;
    for (const std::string& stop : stops_) {
        first = std::min(first, held_.find(stop));
        keep = std::max(keep, overlap(held_, stop));
    }
    if (first != std::string::npos) {
        stopped_ = true;
        std::string shown = held_.substr(0, first);
        held_.clear();
        return shown;
    }
    std::string shown = held_.substr(0, held_.size() - keep);
    held_.erase(0, shown.size());
    return shown;
}

std::string StopHolder::finish() {
    std::string shown;
    shown.swap(held_);
    return shown;
}

}  // namespace edgekit
