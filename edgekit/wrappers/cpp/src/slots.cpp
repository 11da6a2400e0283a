#include "slots.h"

#include <algorithm>

#include "refused.h"
#include "words.h"

namespace edgekit {
namespace {

size_t common(const Tokens& one, const Tokens& other) {
    const auto most = static_cast<std::ptrdiff_t>(std::min(one.size(), other.size()));
    return static_cast<size_t>(std::mismatch(one.begin(), one.begin() + most, other.begin()).first - one.begin());
}

// Lets a generator forget all but the first tokens; whether the engine can.
bool rewound(Slot& slot, size_t keep) {
    try {
        slot.generator.rewind(keep);
    } catch (const EngineError&) {  // a pipeline, a model with pictures
        return false;
    }
    slot.read.resize(keep);
    return true;
}

bool out_of_memory(const EngineError& error) { return lower(error.what()).find("alloc") != std::string::npos; }

}  // namespace

bool Slots::continues(const std::string& ep) { return ep != "dml"; }

Slot Slots::begin(const Start& start, Stop& stop, const Progress& progress) {
    bundle_.require_room(start.ids, start.new_tokens);
    std::optional<Slot> slot = taken(start);
    if (!slot) slot.emplace(made(start));
    const size_t reused = slot->read.size();
    slot->reused = reused;
    if (reused) progress(reused, start.ids.size());
    try {
        read(*slot, start.ids, stop, progress);
        return std::move(*slot);
    } catch (const EngineError& error) {
        if (out_of_memory(error) || slot->read.empty()) throw;
    }
    // It read, but does not read on: from now on each prompt at once.
    once_ = true;
    slot.reset();
    slot.emplace(made(start));
    try {
        read(*slot, start.ids, stop, progress);
    } catch (const EngineError&) {  // it was something else
        once_ = false;
        throw;
    }
    return std::move(*slot);
}

// A cache that can go on with this prompt, rewound to what they have in common.
std::optional<Slot> Slots::taken(const Start& start) {
    if (!reuses() || start.guidance || start.seeded) return {};
    const std::lock_guard lock(mutex_);
    const bool beyond = is_beyond(start.ids);
    auto best = idle_.end();
    size_t most = 1;  // the boundary token is read again, for what comes after it
    for (auto at = idle_.begin(); at != idle_.end(); ++at) {
        const size_t shared = common(at->read, start.ids);
        const bool fits = at->options == start.options && at->beyond == beyond;
        // A text that goes on shares most of what was read: others have a begin in common, and may have a cache of theirs.
        const bool own = 2 * shared >= at->read.size() || idle_.size() >= most_;
        if (!fits || !own || shared <= most) continue;
        best = at;
        most = shared;
    }
    if (best == idle_.end()) return {};
    Slot slot = std::move(*best);
    idle_.erase(best);
    // GenAI 0.14.1 takes no length beyond what it has read, which the token that it chose last is not.
    if (rewound(slot, std::min(most - 1, slot.read.size() - 2))) return slot;
    rewinds_ = false;
    return {};
}

Slot Slots::made(const Start& start) {
    const bool keeps = reuses() && !start.guidance && !start.seeded;
    {
        const std::lock_guard lock(mutex_);  // room for this one; the least used goes
        while (most_ && idle_.size() >= most_) idle_.erase(idle_.begin());
    }
    const int64_t room = keeps ? bundle_.max_length : start.new_tokens;
    Slot slot{bundle_.start(start.ids, room, start.options, start.guidance), start.options};
    slot.keeps = keeps;
    return slot;
}

void Slots::read(Slot& slot, const Tokens& ids, Stop& stop, const Progress& progress) const {
    while (slot.read.size() < ids.size() && !stop.asked()) {
        const size_t at = slot.read.size(), end = end_of_piece(at, ids.size());
        try {
            const Stop::Reading reading(stop, slot.generator);
            slot.generator.append(ids.data() + at, end - at);
        } catch (const EngineError&) {
            if (!stop.asked()) throw;
            slot.keeps = false;  // ended inside a piece: nobody knows what it holds
            return;
        }
        slot.read.insert(slot.read.end(), ids.begin() + static_cast<std::ptrdiff_t>(at),
                         ids.begin() + static_cast<std::ptrdiff_t>(end));
        progress(end, ids.size());
    }
    if (stop.asked()) slot.generator.terminate(false);  // asked for between two pieces
    slot.beyond = is_beyond(ids);
}

bool Slots::is_beyond(const Tokens& text) const {
    return bundle_.reread_beyond && text.size() > static_cast<size_t>(*bundle_.reread_beyond);
}

size_t Slots::end_of_piece(size_t at, size_t of) const {
    const auto window = static_cast<size_t>(bundle_.window);
    if (once_) return of;
    size_t end = at + std::max(piece_ / window * window, window);
    // A text beyond the border has other keys from its beginning on.
    const auto border = static_cast<size_t>(bundle_.reread_beyond.value_or(0));
    if (of > border) end = std::max(end, border + 1);
    return std::min(end, of);
}

void Slots::reread(Slot& slot, const Tokens& whole, Stop& stop) const {
    slot.generator.rewind(0);
    slot.read.clear();
    read(slot, whole, stop, [](size_t, size_t) {});
}

void Slots::give_back(Slot slot) {
    if (!slot.keeps || !reuses()) return;
    const std::lock_guard lock(mutex_);
    if (idle_.size() >= most_) idle_.erase(idle_.begin());
    idle_.push_back(std::move(slot));
}

size_t Slots::idle() const {
    const std::lock_guard lock(mutex_);
    return idle_.size();
}

size_t Slots::clear() {
    std::vector<Slot> dropped;
    const std::lock_guard lock(mutex_);
    dropped.swap(idle_);
    return dropped.size();
}

}  // namespace edgekit
