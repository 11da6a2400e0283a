#include "core.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "chat.h"
#include "memory.h"
#include "refused.h"
#include "respond.h"
#include "steady.h"
#include "words.h"

namespace edgekit {
namespace {

// Every open bundle is closed before the process's own end: an engine that is taken down under a thread crashes.
struct Open {
    std::mutex mutex;
    std::set<Core*> cores;
};

Open& registry() {
    static auto* const found = new Open;  // as lasting.h says
    return *found;
}

void close_all() {
    Open& all = registry();
    const std::lock_guard lock(all.mutex);
    for (Core* core : all.cores) core->close();
}

// What a process does at its end runs in reverse order. So this is asked for behind each step in which an engine makes
// what it takes down then.
void close_at_exit() { std::atexit(close_all); }

void enter(Core* core) {
    Open& all = registry();
    const std::lock_guard lock(all.mutex);
    close_at_exit();
    all.cores.insert(core);
}

void leave(Core* core) {
    Open& all = registry();
    const std::lock_guard lock(all.mutex);
    all.cores.erase(core);
}

const std::vector<std::string> ASKED{"messages", "prompt",     "max_tokens", "stop",        "temperature",
                                     "top_k",    "top_p",      "min_p",      "tools",       "repetition_penalty",
                                     "seed",     "call",       "think",      "json_schema", "adapter",
                                     "speculate"};

std::string done(const Answer& found, double seconds, bool loaded) {
    const double first = seconds - found.decode_s, gaps = static_cast<double>(found.tokens) - 1;
    return Json{{"reason", found.reason},
                {"prompt_tokens", found.prompt_tokens},
                {"tokens", found.tokens},
                {"reused", found.reused},
                {"ttft_ms", found.tokens ? Json(first * 1000) : Json(nullptr)},
                {"decode_tps", gaps > 0 ? Json(gaps / found.decode_s) : Json(nullptr)},
                {"loaded", loaded},
                {"passes", found.passes ? Json(*found.passes) : Json(nullptr)}}
        .dump();
}

Event call_event(const Ordered& call, size_t at) {
    Event event{Event::TOOL_CALL, call.at("arguments").dump()};
    event.id = "call-" + std::to_string(at);
    event.name = call.at("name").get<std::string>();
    return event;
}

Event progress_event(size_t read, size_t of) {
    Event event{Event::PROGRESS};
    event.read = read;
    event.of = of;
    return event;
}

}  // namespace

Refused refusal_of(const std::exception& error) {
    if (const auto* refused = dynamic_cast<const Refused*>(&error)) return *refused;
    if (dynamic_cast<const Json::exception*>(&error)) {
        return Refused(std::string("the request cannot be read: ") + error.what(), "", "usage");
    }
    return Refused(first_line(error.what(), 300), "", "internal");
}

void require_keys(const Ordered& request, const std::vector<std::string>& known) {
    if (!request.is_object()) throw Refused("the request is no JSON object", "", "usage");
    for (const auto& [key, value] : request.items()) {
        if (std::find(known.begin(), known.end(), key) == known.end()) {
            throw Refused("a request has no key " + quoted(key), "its keys are: " + joined(known, ", "), "usage");
        }
    }
}

Core::Core(Opening opening, Engines& engines)
    : opening_(std::move(opening)), engines_(engines), opened_(find_bundle(opening_.wanted, engines_)) {
    if (!opening_.lazy) {
        const std::lock_guard lock(mutex_);
        load();
    }
    engines_.onnxruntime_of(opened_.kind());
    enter(this);
}

Core::~Core() {
    close();
    leave(this);
}

void Core::close() {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        if (active_) active_->cancel();
        Answer none;
        none.reason = "cancelled";
        for (const auto& run : waiting_) run->end(done(none, 0, false));
        waiting_.clear();
    }
    changed_.notify_all();
    const std::lock_guard closing(closing_);  // at the process's end another thread may be closing it, too
    if (worker_.joinable()) worker_.join();
    const std::lock_guard lock(mutex_);
    drop(Part::WEIGHTS);
}

void Core::require_open() const {
    if (closed_) throw Refused("the bundle was closed", "open it again", "closed");
}

bool Core::load() {
    if (is_llm() ? llm_ != nullptr : tensors_ != nullptr) return false;
    if (is_llm()) {
        llm_ = std::make_unique<Llm>(opened_, engines_, opening_);
    } else {
        tensors_ = std::make_shared<TensorBundle>(opened_, engines_);
    }
    close_at_exit();
    return true;
}

Json Core::facts() {
    const std::lock_guard lock(mutex_);
    Json found = {{"kind", opened_.kind()},
                  {"variant", opened_.variant.at("name")},
                  {"ep", opened_.ep()},
                  {"engines", engines_.places(opened_.kind())},
                  {"other_onnxruntimes", engines_.others(opened_.kind())}};
    if (!is_llm()) return found;
    const bool goes_on = Slots::continues(opened_.ep());
    const bool rewinds = goes_on && opening_.slots && window_of(opened_.model()) == 1;
    const std::string chat_template = template_of(opened_.model()).value_or("");
    found["slots"] = opening_.slots;
    found["max_length"] = opened_.contract().at("max_length");
    found["cache_bytes"] = cache_bytes();
    found["can"] = {{"reuse", llm_ ? llm_->slots.reuses() : rewinds},
                    {"cancel_in_prompt", llm_ ? llm_->slots.stops_in_prompt() : goes_on},
                    {"tools", chat_template.find("tools") != std::string::npos}};
    return found;
}

int64_t Core::stated(const char* name) const {
    return value_or(value_or(opened_.manifest, "memory", Json::object()), name, int64_t{0});
}

Json Core::preflight(const Ordered& request) {
    require_keys(request, {"tokens", "messages", "tools", "max_tokens"});
    const std::lock_guard lock(mutex_);
    require_open();
    if (!is_llm()) throw Refused("the bundle holds no language model", "", "usage");
    auto tokens = value_or(request, "tokens", int64_t{0});
    if (has(request, "messages")) {
        if (active_ || !waiting_.empty()) {
            throw Refused("an answer is being made", "ask between two answers, or by tokens", "usage");
        }
        load();
        tokens = static_cast<int64_t>(llm_->bundle.encode(rendered(llm_->bundle, request, true), true).size());
    }
    const bool loaded = llm_ != nullptr, cached = loaded && llm_->slots.idle() > 0;
    const auto most = opened_.contract().at("max_length").get<int64_t>();
    const int64_t wanted = tokens + value_or(request, "max_tokens", int64_t{1});
    const int64_t kv = cached ? 0 : opening_.slots ? cache_bytes() : stated("kv_bytes_per_token") * wanted;
    const int64_t logits = stated("logits_bytes_pp512") / 512 * static_cast<int64_t>(opening_.piece);
    const int64_t model = loaded ? 0 : stated("prepacked_bytes") + stated("engine_bytes");
    const int64_t anon = model + kv + logits;
    const Room left = room();
    Json found = {{"tokens", tokens}, {"anon", anon}, {"mapped", loaded ? 0 : stated("mapped_bytes")}, {"kv", kv},
                  {"free", or_null(left.free)}, {"limit", or_null(left.limit)}, {"fits", nullptr}, {"why", ""}};
    const auto refuse = [&found](const std::string& why) {
        found["fits"] = false;
        found["why"] = why;
    };
    if (left.free || left.limit) found["fits"] = true;
    if (left.free && anon > *left.free) refuse("it takes more memory than the system has free");
    if (left.limit && anon > *left.limit) refuse("it takes more memory than this process may still have");
    if (wanted > most) refuse("the bundle takes " + std::to_string(most) + " tokens, the answer included");
    return found;
}

Ordered Core::asked_in(const Ordered& request) {
    Ordered found = Ordered::object();
    for (const auto& [key, value] : request.items()) {
        const bool known = std::find(ASKED.begin(), ASKED.end(), key) != ASKED.end();
        if (known && !value.is_null()) found[key] = value;
    }
    return found;
}

std::shared_ptr<Run> Core::respond(Ordered request) {
    require_keys(request, ASKED);
    if (has(request, "messages") == has(request, "prompt")) {
        throw Refused("a request has messages, or a prompt", "give one of the two", "usage");
    }
    auto run = std::make_shared<Run>(std::move(request));
    {
        const std::lock_guard lock(mutex_);
        require_open();
        if (!is_llm()) throw Refused("the bundle holds no language model", "", "usage");
        waiting_.push_back(run);
        if (!worker_.joinable()) worker_ = std::thread(&Core::work, this);
    }
    changed_.notify_all();
    return run;
}

std::shared_ptr<const TensorBundle> Core::tensors() {
    const std::lock_guard lock(mutex_);
    require_open();
    if (is_llm()) throw Refused("the bundle is a language model", "", "usage");
    load();
    return tensors_;
}

int64_t Core::trim(Part what) {
    std::unique_lock lock(mutex_);
    if (active_) {
        after_ = std::max(after_.value_or(what), what);
        what = Part::CACHES;
    }
    const int64_t freed = drop(what);
    if (freed && worker_.joinable() && !active_) {  // the caches are of the worker's heap
        to_give_back_ = freed;
        changed_.notify_all();
        changed_.wait(lock, [this] { return !to_give_back_ || closed_; });
    }
    return freed;
}

int64_t Core::drop(Part what) {
    int64_t freed = 0;
    if (llm_) freed += static_cast<int64_t>(llm_->slots.clear()) * cache_bytes();
    if (what == Part::WEIGHTS && (llm_ || tensors_)) {
        freed += stated("mapped_bytes") + stated("prepacked_bytes");
        llm_.reset();
        tensors_.reset();
    }
    if (freed) give_back_memory(freed);
    return freed;
}

void Core::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return closed_ || to_give_back_ || !waiting_.empty(); });
        if (closed_) return;
        if (to_give_back_) {
            give_back_memory(std::exchange(to_give_back_, 0));
            changed_.notify_all();
            continue;
        }
        const std::shared_ptr<Run> run = std::move(waiting_.front());
        waiting_.pop_front();
        active_ = run;
        lock.unlock();
        std::string told;
        std::optional<Refused> failed;
        try {
            told = serve(*run);
        } catch (const std::exception& error) {
            failed = refusal_of(error);
        }
        lock.lock();
        active_.reset();
        if (after_) drop(*after_);
        after_.reset();
        if (failed) {  // told last: who reads it finds the bundle at rest
            run->fail(*failed);
        } else {
            run->end(std::move(told));
        }
    }
}

// Only this thread loads and drops the model while a run is active.
std::string Core::serve(Run& run) {
    const Stopwatch watch;
    bool loaded = false;
    {
        const std::lock_guard lock(mutex_);
        loaded = load();
    }
    const LlmBundle& bundle = llm_->bundle;
    const Question question = question_of(bundle, run.request);
    static std::once_flag told;
    const Sink sink{[&run](size_t read, size_t of) { run.push(progress_event(read, of)); },
                    [&run](bool thought, const std::string& text) {
                        std::call_once(told, close_at_exit);  // the engines have read, searched and written by now
                        run.push({thought ? Event::THOUGHT : Event::TEXT, text});
                    }};
    const Answer found = answer(bundle, llm_->slots, question, run.stop, sink);
    size_t at = 0;
    for (const Ordered& call : found.calls) run.push(call_event(call, at++));
    return done(found, watch.seconds(), loaded);
}

}  // namespace edgekit
