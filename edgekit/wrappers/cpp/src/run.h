// An answer that is being made by one thread and read by another.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "json.h"
#include "refused.h"
#include "stop.h"

namespace edgekit {

struct Event {
    enum Kind { PROGRESS = 1, TEXT, THOUGHT, TOOL_CALL, DONE };  // as edgekit.h numbers them
    Kind kind;
    std::string text = {}, id = {}, name = {};
    size_t read = 0, of = 0;
};

class Run {
  public:
    static constexpr size_t AHEAD = 64;  // events that wait for their reader at most

    explicit Run(Ordered asked) : request(std::move(asked)) { events_.reserve(AHEAD); }

    // Waits for it. After the last, DONE, it comes again; what ended the answer is thrown, again too.
    Event next();
    void cancel();

    // The other thread's. An event waits for room, unless nobody wants the answer any more.
    void push(Event event);
    void end(std::string done);
    void fail(const Refused& why);

    const Ordered request;
    Stop stop;

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Event> events_;  // those before `read_` were read; its memory is kept, so that a token takes none
    size_t read_ = 0;
    std::optional<std::string> done_;
    std::optional<Json> failed_;  // its code, message, next and axis
};

}  // namespace edgekit
