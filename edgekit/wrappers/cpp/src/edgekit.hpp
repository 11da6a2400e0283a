/* edgekit.h for C++17: the same nouns, which free themselves. A header alone; what it needs is libedgekit.
 *
 *     auto bundle = edgekit::Bundle::open(folder);
 *     auto chat = bundle.conversation();
 *     for (const edgekit::Event& event : chat.send("What is the capital of France?"))
 *         if (const auto* text = std::get_if<edgekit::Text>(&event)) std::cout << text->text << std::flush;
 *     std::string saved = edgekit::save(chat.history());
 *
 * What fails throws Refused. Texts are UTF-8. Bundles and runs are moved, not copied; they may be used from any
 * thread, each by one at a time, and an answer is cancelled from any. Leaving a loop over events ends the answer. */
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <locale>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "edgekit.h"

namespace edgekit {
inline namespace face {  // the core's own names are others, also where it is compiled into the app

/* Why something was not done. what(): one message; code: bundle, usage, tool-missing, quality, closed or internal;
 * next: what to do; axis: what of the bundle or the machine is to blame. The last two may be empty. */
class Refused : public std::runtime_error {
  public:
    Refused(std::string code_, const std::string& message, std::string next_ = "", std::string axis_ = "")
        : std::runtime_error(message), code(std::move(code_)), next(std::move(next_)), axis(std::move(axis_)) {}

    std::string code, next, axis;
};

struct Progress {
    int64_t read, of;  // tokens of the prompt
};
struct Text {
    std::string text;  // whole characters
};
struct Thought {
    std::string text;
};
struct ToolCall {
    std::string id, name, arguments;  // a JSON object
};
struct Done {            // the last
    std::string reason;  // eos, stop, length, max_length or cancelled
    int64_t prompt_tokens, tokens, reused;
    std::optional<double> ttft_ms, decode_tps;
    bool loaded;  // the model had to be, for this
};
using Event = std::variant<Progress, Text, Thought, ToolCall, Done>;

/* What `trim` gives back. */
enum class Part { CACHES = EDGEKIT_CACHES, WEIGHTS = EDGEKIT_WEIGHTS };

/* How a bundle is opened. */
struct Options {
    bool verify = false;             // compare every byte with the manifest (once, at install), not only the sizes
    bool foreign = false;            // run a bundle of another platform on the CPU, for a look at its outputs
    bool lazy = false;               // the model is loaded by the first call that needs it
    int32_t slots = 1;               // key-value caches that are kept, each of the bundle's max_length
    int32_t threads = 0;             // of one operator; 0: the engine chooses
    int32_t piece = 0;               // tokens of a prompt that are read at once; 0: the library's own number
    std::string variant;             // by name; empty: the first that runs here
    std::string onnxruntime, genai;  // the engines' files; empty: beside libedgekit, or in the process already
    std::string genai_version;       // which GenAI does not tell; empty: as its file is named
};

/* One message of a conversation. calls are an assistant's; name is that of the function which a tool's is of. */
struct Message {
    std::string role, content;
    std::vector<ToolCall> calls = {};
    std::string name = {};
};

/* How an answer is made, as docs/calling.md says; what is not said is the bundle's own. */
struct Settings {
    std::optional<int64_t> max_tokens = {}, top_k = {}, seed = {};
    std::optional<double> temperature = {}, top_p = {}, min_p = {}, repetition_penalty = {};
    std::optional<std::vector<std::string>> stop = {};
    std::string tools = {};        // a JSON list of functions
    std::string json_schema = {};  // a JSON object that the answer has to fit
    std::string call = {};         // auto, required or unguided
    std::optional<bool> think = {};
    std::string adapter = {};    // of the bundle's, by name
    std::string speculate = {};  // "ngram": what the answer repeats of its text is guessed
};

/* JSON, as much of it as the library and its requests need. */
namespace json {

inline std::string write(std::string_view text) {
    std::string made = "\"";
    for (const char letter : text) {
        if (letter == '"' || letter == '\\') made += '\\';
        if (static_cast<unsigned char>(letter) >= ' ') {
            made += letter;
        } else {
            made += std::string("\\u00") + (letter < 16 ? '0' : '1') + "0123456789abcdef"[letter % 16];
        }
    }
    return made + '"';
}

template <typename Number, typename = std::enable_if_t<std::is_arithmetic_v<Number>>>
std::string write(Number value) {
    std::ostringstream text;
    text.imbue(std::locale::classic());  // an app's own may have a comma
    text.precision(17);
    text << std::boolalpha << value;
    return text.str();
}

template <typename Value>
std::string write(const std::optional<Value>& value) {
    return value ? write(*value) : "";
}

/* A list or, with keys, an object, of values that are JSON; those that are empty are left out. */
inline std::string write(char begin, const std::vector<std::pair<const char*, std::string>>& parts, char end) {
    std::string made(1, begin);
    for (const auto& [key, value] : parts) {
        if (!value.empty()) made += (made.size() > 1 ? "," : "") + (key ? write(key) + ":" : "") + value;
    }
    return made + end;
}

}  // namespace json

namespace detail {

inline edgekit_text view(std::string_view text) { return {text.data(), text.size()}; }
inline std::string string(edgekit_text text) { return text.size ? std::string(text.data, text.size) : std::string(); }

template <auto Free>
struct Frees {
    template <typename Handle>
    void operator()(Handle* handle) const {
        Free(handle);
    }
};
template <typename Handle, auto Free>
using Owned = std::unique_ptr<Handle, Frees<Free>>;

inline void check(edgekit_error* error) {
    const Owned<edgekit_error, edgekit_error_free> owned(error);
    if (!error) return;
    throw Refused(string(edgekit_error_code(error)), string(edgekit_error_message(error)),
                  string(edgekit_error_next(error)), string(edgekit_error_axis(error)));
}

}  // namespace detail

/* A JSON document: facts, preflight, any text. What lies in it is named by its path, "/engines/onnxruntime/version". */
class Document {
  public:
    explicit Document(edgekit_document* made) : document_(made) {}
    explicit Document(std::string_view json) {
        edgekit_document* made = nullptr;
        detail::check(edgekit_document_of(detail::view(json), &made));
        document_.reset(made);
    }

    std::string text() const { return detail::string(edgekit_document_text(document_.get())); }

    bool has(const std::string& path) const { return edgekit_document_at(document_.get(), detail::view(path)).data; }

    /* A text; or any other value, as JSON. Empty where nothing is there. */
    std::string get(const std::string& path) const {
        return detail::string(edgekit_document_at(document_.get(), detail::view(path)));
    }
    /* A number, or a bool. */
    template <typename Value>
    std::optional<Value> get(const std::string& path) const {
        std::istringstream text(get(path));
        text.imbue(std::locale::classic());
        Value value{};
        text >> std::boolalpha >> value;
        return text ? std::optional(value) : std::nullopt;
    }

  private:
    detail::Owned<edgekit_document, edgekit_document_free> document_;
};

/* Messages as JSON, to be kept. */
inline std::string save(const std::vector<Message>& messages) {
    using json::write;
    std::vector<std::pair<const char*, std::string>> made;
    for (const Message& message : messages) {
        std::vector<std::pair<const char*, std::string>> calls;
        for (const ToolCall& call : message.calls) {
            std::string function = write('{', {{"name", write(call.name)}, {"arguments", call.arguments}}, '}');
            function = write('{', {{"id", write(call.id)}, {"type", write("function")}, {"function", function}}, '}');
            calls.emplace_back(nullptr, function);
        }
        const std::string called = calls.empty() ? "" : write('[', calls, ']');
        const std::string name = message.name.empty() ? "" : write(message.name);
        const std::string role = write(message.role), content = write(message.content);
        made.emplace_back(
            nullptr, write('{', {{"role", role}, {"content", content}, {"tool_calls", called}, {"name", name}}, '}'));
    }
    return write('[', made, ']');
}

/* What `save` made. */
inline std::vector<Message> restore(std::string_view saved) {
    const Document kept(saved);
    std::vector<Message> messages;
    for (std::string at = "/0"; kept.has(at); at = "/" + std::to_string(messages.size())) {
        Message message{kept.get(at + "/role"), kept.get(at + "/content"), {}, kept.get(at + "/name")};
        for (std::string call = at + "/tool_calls/0"; kept.has(call);
             call = at + "/tool_calls/" + std::to_string(message.calls.size())) {
            message.calls.push_back(
                {kept.get(call + "/id"), kept.get(call + "/function/name"), kept.get(call + "/function/arguments")});
        }
        messages.push_back(std::move(message));
    }
    return messages;
}

/* A request as edgekit.h has it: `what` (messages, prompt, tokens) with a value that is JSON, and the settings. */
inline std::string request(const char* what, const std::string& value, const Settings& settings) {
    using json::write;
    std::vector<std::pair<const char*, std::string>> stops;
    if (settings.stop) {
        for (const std::string& stop : *settings.stop) stops.emplace_back(nullptr, write(stop));
    }
    return write('{',
                 {{what, value},
                  {"max_tokens", write(settings.max_tokens)},
                  {"temperature", write(settings.temperature)},
                  {"top_k", write(settings.top_k)},
                  {"top_p", write(settings.top_p)},
                  {"min_p", write(settings.min_p)},
                  {"repetition_penalty", write(settings.repetition_penalty)},
                  {"seed", write(settings.seed)},
                  {"think", write(settings.think)},
                  {"tools", settings.tools},
                  {"json_schema", settings.json_schema},
                  {"adapter", settings.adapter.empty() ? "" : write(settings.adapter)},
                  {"speculate", settings.speculate.empty() ? "" : write(settings.speculate)},
                  {"call", settings.call.empty() ? "" : write(settings.call)},
                  {"stop", settings.stop ? write('[', stops, ']') : ""}},
                 '}');
}

namespace detail {

/* A bundle's handle, which conversations have too: they tell when it was closed. */
using Handle = std::shared_ptr<Owned<edgekit_bundle, edgekit_close>>;
inline edgekit_bundle* opened(const Handle& handle) {
    if (!handle || !*handle) throw Refused("closed", "the bundle was closed", "open it again");
    return handle->get();
}

}  // namespace detail

/* A tensor in C order, where it lies. data null: of an output, in memory of the engine's. */
struct Tensor {
    std::string name, type = {};  // "float32", ...
    std::vector<int64_t> shape = {};
    void* data = nullptr;
    size_t bytes = 0;

    template <typename T>
    static Tensor of(std::string name, T* data, std::vector<int64_t> shape) {
        Tensor made{std::move(name), type_of<std::remove_const_t<T>>(), std::move(shape)};
        made.data = const_cast<std::remove_const_t<T>*>(data);  // what is an input is not written
        made.bytes = sizeof(T);
        for (const int64_t size : made.shape) made.bytes *= static_cast<size_t>(size);
        return made;
    }

    /* Pixels as edgekit.h says of pictures; rows lie `stride` bytes apart, 0: without a gap. */
    static Tensor picture(const uint8_t* pixels, int64_t width, int64_t height, int64_t stride = 0,
                          std::string format = "rgb8") {
        const auto bytes = static_cast<size_t>(height * (stride ? stride : width * (format.find('8') == 3 ? 3 : 4)));
        return {"picture", std::move(format), {height, width}, const_cast<uint8_t*>(pixels), bytes};
    }

    template <typename T>
    T* as() const {
        if (type != type_of<T>()) throw Refused("usage", name + " is " + type + ", not " + type_of<T>());
        return static_cast<T*>(data);
    }

    template <typename T>
    static std::string type_of() {
        static_assert(std::is_arithmetic_v<T>, "the names of other types are given as text");
        const char* const family = std::is_floating_point_v<T> ? "float" : std::is_signed_v<T> ? "int" : "uint";
        return std::is_same_v<T, bool> ? "bool" : family + std::to_string(8 * sizeof(T));
    }
};

/* What a picture may show. */
struct Category {
    int64_t index;
    std::string label;  // empty where the bundle has none
    double score;       // as the model gives it
};

/* What a net gave. Memory that is the engine's goes with it, which has to be before the bundle is closed. */
struct Tensors {
    std::vector<Tensor> all;
    detail::Owned<edgekit_values, edgekit_values_free> owned;

    const Tensor& operator[](std::string_view name) const {
        for (const Tensor& tensor : all) {
            if (tensor.name == name) return tensor;
        }
        throw Refused("usage", "no output '" + std::string(name) + "' was asked for");
    }
};

/* An answer that is being made, or a turn of a conversation. It waits for its reader; at most 64 events are made ahead.
 * When a turn goes, what was told of it is in the history. */
class Run {
  public:
    /* The next event; after Done it comes again. */
    Event next() {
        while (true) {
            edgekit_event event{};
            event.size = sizeof event;
            detail::check(edgekit_next(run_.get(), &event));
            std::string text = detail::string(event.text);
            if (event.kind == EDGEKIT_PROGRESS) return Progress{event.read, event.of};
            if (event.kind == EDGEKIT_THOUGHT) return Thought{std::move(text)};
            if (event.kind == EDGEKIT_DONE) return done(text);
            if (event.kind == EDGEKIT_TEXT) {
                answer_.content += text;
                return Text{std::move(text)};
            }
            if (event.kind == EDGEKIT_TOOL_CALL) {
                answer_.calls.push_back({detail::string(event.id), detail::string(event.name), std::move(text)});
                return answer_.calls.back();
            }
        }  // of others, which a later library may have, this header knows nothing
    }

    /* End the answer, from any thread; what was made is still told, and the bundle can be asked again at once. */
    void cancel() { edgekit_cancel(run_.get()); }

    /* Events in a loop: Done is the last. */
    class Reading {
      public:
        explicit Reading(Run* run) : run_(run) {
            if (run_) event_ = run_->next();
        }
        const Event& operator*() const { return event_; }
        void operator++() {
            if (std::holds_alternative<Done>(event_)) run_ = nullptr;
            if (run_) event_ = run_->next();
        }
        bool operator!=(std::nullptr_t) const { return run_ != nullptr; }

      private:
        Run* run_;
        Event event_;
    };
    Reading begin() { return Reading(run_ ? this : nullptr); }
    std::nullptr_t end() { return nullptr; }

    Run(Run&&) = default;
    Run& operator=(Run&&) = delete;
    ~Run() { keep(false); }

  private:
    friend class Bundle;
    friend class Conversation;
    Run() = default;  // no answer yet
    Run(const detail::Handle& bundle, const std::string& request) {
        edgekit_run* made = nullptr;
        detail::check(edgekit_respond(detail::opened(bundle), detail::view(request), &made));
        run_.reset(made);
    }

    Done done(const std::string& text) {
        const Document told(text);
        const auto count = [&told](const char* path) { return told.get<int64_t>(path).value_or(0); };
        keep(told.get("/reason") != "cancelled");
        return {told.get("/reason"),
                count("/prompt_tokens"),
                count("/tokens"),
                count("/reused"),
                told.get<double>("/ttft_ms"),
                told.get<double>("/decode_tps"),
                told.get("/loaded") == "true"};
    }

    void keep(bool ended) {
        const auto history = std::exchange(history_, nullptr);
        if (!history || (!ended && answer_.content.empty() && answer_.calls.empty())) return;
        messages_.push_back(std::move(answer_));
        *history = std::move(messages_);
    }

    detail::Owned<edgekit_run, edgekit_run_free> run_;
    std::shared_ptr<std::vector<Message>> history_;  // of a turn
    std::vector<Message> messages_;                  // it, and the question
    Message answer_{"assistant", ""};
};

class Conversation;

/* An open bundle. Runs and conversations may be left when it goes; what they are asked then is refused. */
class Bundle {
  public:
    /* Check a bundle's folder, choose the variant that runs here, and load it. */
    static Bundle open(std::string_view folder, const Options& options = {}) {
        if (edgekit_abi() != EDGEKIT_ABI) {
            throw Refused("tool-missing", "libedgekit is of another version than edgekit.h", "take both of one", "abi");
        }
        const int flags =
            options.verify * EDGEKIT_VERIFY | options.foreign * EDGEKIT_FOREIGN | options.lazy * EDGEKIT_LAZY;
        const edgekit_open_options all{sizeof all,
                                       static_cast<uint32_t>(flags),
                                       options.threads,
                                       options.slots ? options.slots : -1,
                                       options.piece,
                                       detail::view(options.variant),
                                       detail::view(options.onnxruntime),
                                       detail::view(options.genai),
                                       detail::view(options.genai_version)};
        edgekit_bundle* made = nullptr;
        detail::check(edgekit_open(detail::view(folder), &all, &made));
        return Bundle(std::make_shared<detail::Handle::element_type>(made));
    }

    /* What is open, as edgekit_facts says it. */
    Document facts() const {
        return document([&](auto out) { return edgekit_facts(detail::opened(handle_), out); });
    }

    /* Whether there is memory for an answer to so many tokens, as edgekit_preflight says it. */
    Document preflight(int64_t tokens, const Settings& settings = {}) const {
        return preflight(request("tokens", json::write(tokens), settings));
    }
    /* Likewise, to these messages: they load the model, and are refused while an answer is being made. */
    Document preflight(const std::vector<Message>& messages, const Settings& settings = {}) const {
        return preflight(request("messages", save(messages), settings));
    }

    /* Begin an answer to a whole conversation; what a slot holds of its beginning is not read again. */
    Run respond(const std::vector<Message>& messages, const Settings& settings = {}) const {
        return Run(handle_, request("messages", save(messages), settings));
    }
    /* Begin an answer to a text without a template. */
    Run respond(std::string_view prompt, const Settings& settings = {}) const {
        return Run(handle_, request("prompt", json::write(prompt), settings));
    }

    /* Begin an answer to a request as edgekit.h has it, a JSON object. */
    Run respond_to(const std::string& json) const { return Run(handle_, json); }

    /* A conversation that goes on from a history. */
    Conversation conversation(std::vector<Message> history = {}, Settings settings = {}) const;

    /* Run a model of tensors once: inputs are read, outputs are written, where they lie. */
    Tensors infer(const std::vector<Tensor>& inputs, std::vector<Tensor> outputs) const {
        std::vector<edgekit_tensor> in, out;
        for (const Tensor& tensor : inputs) in.push_back(lent(tensor));
        for (const Tensor& tensor : outputs) out.push_back(lent(tensor));
        edgekit_values* owned = nullptr;
        edgekit_bundle* const bundle = detail::opened(handle_);
        detail::check(edgekit_infer(bundle, in.data(), in.size(), out.data(), out.size(), &owned));
        for (size_t at = 0; at < out.size(); ++at) {
            if (outputs[at].data) continue;
            outputs[at].type = detail::string(out[at].type);
            outputs[at].shape.assign(out[at].shape, out[at].shape + out[at].rank);
            outputs[at].data = out[at].data;
            outputs[at].bytes = out[at].bytes;
        }
        return {std::move(outputs), detail::Owned<edgekit_values, edgekit_values_free>(owned)};
    }

    /* What a picture shows, the best first. */
    std::vector<Category> classify(const Tensor& picture, int32_t top = 5) const {
        const edgekit_tensor lent_picture = lent(picture);
        const Document told =
            document([&](auto out) { return edgekit_classify(detail::opened(handle_), &lent_picture, top, out); });
        std::vector<Category> classes;
        for (std::string at = "/classes/0"; told.has(at); at = "/classes/" + std::to_string(classes.size())) {
            const double score = told.get<double>(at + "/score").value_or(std::nan(""));
            classes.push_back({told.get<int64_t>(at + "/index").value_or(0), told.get(at + "/label"), score});
        }
        return classes;
    }

    /* Give memory back: its bytes. What is needed again is loaded by itself; what an answer uses goes at its end. */
    int64_t trim(Part what) const {
        int64_t freed = 0;
        detail::check(edgekit_trim(detail::opened(handle_), static_cast<int32_t>(what), &freed));
        return freed;
    }

    /* Cancel what is being answered, wait for its end and let go of the model. Once more does nothing. */
    void close() {
        if (handle_) handle_->reset();
    }

    Bundle(Bundle&&) = default;
    Bundle& operator=(Bundle&& other) noexcept {
        close();
        handle_ = std::move(other.handle_);
        return *this;
    }
    ~Bundle() { close(); }

  private:
    explicit Bundle(detail::Handle handle) : handle_(std::move(handle)) {}

    template <typename Ask>
    static Document document(Ask ask) {
        edgekit_document* made = nullptr;
        detail::check(ask(&made));
        return Document(made);
    }

    Document preflight(const std::string& asked) const {
        return document([&](auto out) { return edgekit_preflight(detail::opened(handle_), detail::view(asked), out); });
    }

    static edgekit_tensor lent(const Tensor& tensor) {
        return {sizeof(edgekit_tensor),
                detail::view(tensor.name),
                detail::view(tensor.type),
                tensor.shape.data(),
                tensor.shape.size(),
                tensor.data,
                tensor.bytes};
    }

    detail::Handle handle_;
};

/* A conversation: its history is plain data, to be saved and to be given to the next. One turn at a time. */
class Conversation {
  public:
    /* All messages. An answer is added at its end, also where it was left; a turn that told nothing leaves no trace. */
    const std::vector<Message>& history() const { return *history_; }

    /* Say something; the answer is made while its events are read. */
    Run send(std::string text) { return answer({"user", std::move(text)}); }

    /* What a function gave for a call of the last answer. The model goes on when every call has its reply. */
    Run reply(std::string_view call_id, std::string json) {
        size_t asking = history_->size();
        while (asking && (*history_)[asking - 1].calls.empty()) --asking;
        const std::vector<ToolCall> calls = asking ? (*history_)[asking - 1].calls : std::vector<ToolCall>();
        for (const ToolCall& call : calls) {
            if (call.id != call_id) continue;
            Message reply{"tool", std::move(json), {}, call.name};
            if (history_->size() - asking + 1 >= calls.size()) return answer(std::move(reply));
            history_->push_back(std::move(reply));
            return {};
        }
        throw Refused("usage", "no call of the last answer is '" + std::string(call_id) + "'",
                      "reply to each by its id");
    }

  private:
    friend class Bundle;
    Conversation(detail::Handle bundle, std::vector<Message> history, Settings settings)
        : bundle_(std::move(bundle)),
          history_(std::make_shared<std::vector<Message>>(std::move(history))),
          settings_(std::move(settings)) {}

    Run answer(Message message) {
        std::vector<Message> messages = *history_;
        messages.push_back(std::move(message));
        Run run(bundle_, request("messages", save(messages), settings_));
        run.history_ = history_;
        run.messages_ = std::move(messages);
        return run;
    }

    detail::Handle bundle_;
    std::shared_ptr<std::vector<Message>> history_;
    Settings settings_;
};

inline Conversation Bundle::conversation(std::vector<Message> history, Settings settings) const {
    return Conversation(handle_, std::move(history), std::move(settings));
}

}  // namespace face
}  // namespace edgekit
