// An open bundle that is asked from any thread: one worker answers, caches are kept between two answers.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "bundle.h"
#include "engines.h"
#include "llm.h"
#include "refused.h"
#include "run.h"
#include "slots.h"
#include "tensor.h"

namespace edgekit {

struct Opening {
    Wanted wanted;
    size_t slots = 1, piece = PIECE;
    bool lazy = false;  // the model is loaded by the first call that needs it
};

class Core {
  public:
    Core(Opening opening, Engines& engines);  // throws Refused
    ~Core();
    Core(const Core&) = delete;
    Core& operator=(const Core&) = delete;

    bool is_llm() const { return opened_.kind() == "llm"; }
    Json facts();
    Json preflight(const Ordered& request);
    // Refused where the request has a key that respond does not know.
    std::shared_ptr<Run> respond(Ordered request);
    static Ordered asked_in(const Ordered& request);  // those of a request's keys that it knows
    std::shared_ptr<const TensorBundle> tensors();  // usable also after it was trimmed

    enum class Part { CACHES = 1, WEIGHTS };
    int64_t trim(Part what);  // bytes given back now; what an answer uses goes when it has ended

    // Cancels what is being answered, waits for its end, and lets go of the model. Idempotent.
    void close();

  private:
    // A language model and its caches.
    struct Llm {
        LlmBundle bundle;
        Slots slots;
        Llm(Opened opened, Engines& engines, const Opening& opening)
            : bundle(std::move(opened), engines), slots(bundle, opening.slots, opening.piece) {}
    };

    void require_open() const;   // these four with the lock held
    bool load();                 // whether it had to be
    int64_t drop(Part what);
    int64_t cache_bytes() const { return stated("kv_bytes_at_max_length"); }

    int64_t stated(const char* name) const;  // bytes that the manifest states
    void work();
    std::string serve(Run& run);  // what DONE says

    const Opening opening_;
    Engines& engines_;
    const Opened opened_;

    std::mutex mutex_, closing_;
    std::condition_variable changed_;
    std::unique_ptr<Llm> llm_;
    std::shared_ptr<const TensorBundle> tensors_;
    std::deque<std::shared_ptr<Run>> waiting_;
    std::shared_ptr<Run> active_;
    std::optional<Part> after_;  // what is dropped when the answer has ended
    bool closed_ = false;
    int64_t to_give_back_ = 0;  // bytes that were freed in the worker's heap
    std::thread worker_;
};

// What was thrown as a refusal: an engine's own failure is "internal".
Refused refusal_of(const std::exception& error);

// Refuse a request with a key that is none of these.
void require_keys(const Ordered& request, const std::vector<std::string>& known);

}  // namespace edgekit
