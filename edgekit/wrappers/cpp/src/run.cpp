#include "run.h"

#include <utility>

namespace edgekit {

Event Run::next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return read_ < events_.size() || done_ || failed_; });
    if (read_ < events_.size()) {
        Event first = std::move(events_[read_++]);
        changed_.notify_all();
        return first;
    }
    if (failed_) {
        const auto word = [this](const char* key) { return failed_->at(key).get<std::string>(); };
        throw Refused(word("message"), word("next"), word("code"), word("axis"));
    }
    return {Event::DONE, *done_};
}

void Run::cancel() {
    stop.ask();
    const std::lock_guard lock(mutex_);  // so that `push` does not miss it between its look and its sleep
    changed_.notify_all();
}

void Run::push(Event event) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return events_.size() - read_ < AHEAD || stop.asked(); });
    if (events_.size() == events_.capacity() || read_ == events_.size()) {
        events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(std::exchange(read_, 0)));
    }
    events_.push_back(std::move(event));
    changed_.notify_all();
}

void Run::end(std::string done) {
    const std::lock_guard lock(mutex_);
    if (!failed_ && !done_) done_ = std::move(done);
    changed_.notify_all();
}

void Run::fail(const Refused& why) {
    const std::lock_guard lock(mutex_);
    if (!failed_ && !done_) {
        failed_ = {{"code", why.code}, {"message", why.what()}, {"next", why.next}, {"axis", why.axis}};
    }
    changed_.notify_all();
}

}  // namespace edgekit
