// How an answer is ended from another thread than the one that makes it.
#pragma once

#include <atomic>
#include <mutex>

#include "genai.h"

namespace edgekit {

class Stop {
  public:
    // The answer ends at its next token, and a piece of the prompt that is being read at once.
    void ask() {
        asked_ = true;
        const std::lock_guard lock(mutex_);
        if (reading_) reading_->terminate(true);
    }
    bool asked() const { return asked_; }

    // As long as it lives, `ask` ends what this generator reads too.
    class Reading {
      public:
        Reading(Stop& stop, const Generator& generator) : stop_(stop) { set(&generator); }
        ~Reading() { set(nullptr); }
        Reading(const Reading&) = delete;
        Reading& operator=(const Reading&) = delete;

      private:
        void set(const Generator* generator) {
            const std::lock_guard lock(stop_.mutex_);
            stop_.reading_ = generator;
        }
        Stop& stop_;
    };

  private:
    std::atomic<bool> asked_{false};
    std::mutex mutex_;
    const Generator* reading_ = nullptr;
};

}  // namespace edgekit
