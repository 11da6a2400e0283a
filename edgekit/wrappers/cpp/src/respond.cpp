#include "respond.h"

#include <algorithm>
#include <utility>

#include "functions.h"
#include "steady.h"
#include "words.h"

namespace edgekit {
namespace {

// What an answer is kept to, as a request's json_schema, or its tools and call say; its form of calls.
std::pair<std::optional<Guidance>, std::string> rules_of(const LlmBundle& bundle, const Ordered& request) {
    if (has(request, "json_schema")) {
        const Json schema = request.at("json_schema");
        return {Guidance{"json_schema", schema.is_string() ? schema.get<std::string>() : schema.dump()}, ""};
    }
    const Ordered tools = value_or(request, "tools", Ordered::array());
    if (tools.empty()) return {};
    const std::string form = bundle.calls.empty() ? "json" : bundle.calls;
    const std::string call = value_or<std::string>(request, "call", "auto");
    // A grammar would leave no room for thoughts.
    const bool thinks = has(bundle.answers, "thinking") && value_or(request, "think", true) && call == "auto";
    if (call == "unguided" || thinks) return {std::nullopt, form};
    return {Guidance{"lark_grammar", grammar(form, tools, bundle.special, call == "required")}, form};
}

// The words around a thought; empty where the model has none.
std::pair<std::string, std::string> marks_of_thoughts(const LlmBundle& bundle) {
    const Json thinking = value_or(bundle.answers, "thinking", Json::object());
    return {value_or<std::string>(thinking, "begin", ""), value_or<std::string>(thinking, "end", "")};
}

// What cuts the answer to a prompt; a guided one has no thoughts.
Splitter splitter_of(const LlmBundle& bundle, const std::string& prompt, bool guided) {
    if (guided || !has(bundle.answers, "thinking")) return {};
    const auto [begin, end] = marks_of_thoughts(bundle);
    const bool inside = ends_with(trimmed(prompt), begin);
    std::set<std::string> known;
    for (const auto& [token, mark] : bundle.marks) known.insert(mark);
    return known.count(begin) && known.count(end) ? Splitter("", "", inside) : Splitter(begin, end, inside);
}

// Makes text, thoughts and calls of the tokens of an answer.
class Teller {
  public:
    Teller(const LlmBundle& bundle, const Question& question, const Splitter::Show& show)
        : bundle_(bundle),
          show_(show),
          streamer_(bundle.streamer()),
          splitter_(question.splitter),
          holder_(question.stops),
          may_call_(question.form),
          thoughts_(marks_of_thoughts(bundle)) {}

    void push(int32_t token) {
        const auto mark = bundle_.marks.find(token);
        if (mark == bundle_.marks.end()) {
            splitter_.push(streamer_.push(token), part_);
            return;
        }
        splitter_.push(streamer_.finish(), part_);
        streamer_ = bundle_.streamer();
        if (mark->second == thoughts_.first || mark->second == thoughts_.second) {
            splitter_.turn(mark->second == thoughts_.first, part_);
        } else {
            splitter_.push(mark->second, part_);
        }
    }

    bool stopped() const { return holder_.stopped(); }  // a stop string came

    // Shows what was held back; the calls that the answer has.
    Ordered finish(const std::string& form) {
        splitter_.push(without_unfinished(streamer_.finish()), part_);
        splitter_.finish(part_);
        pass_on(holder_.finish());
        Ordered calls = calls_in(may_call_.held(), form);
        if (calls.empty() && !may_call_.held().empty()) show_(false, may_call_.held());
        return calls;
    }

  private:
    void pass_on(const std::string& text) {
        const std::string shown = may_call_.push(text);
        if (!shown.empty()) show_(false, shown);
    }

    const LlmBundle& bundle_;
    const Splitter::Show& show_;
    Streamer streamer_;
    Splitter splitter_;
    StopHolder holder_;
    CallHolder may_call_;
    const std::pair<std::string, std::string> thoughts_;
    const Splitter::Show part_ = [this](bool thought, const std::string& text) {
        if (thought) {
            show_(true, text);
        } else {
            pass_on(holder_.push(text));
        }
    };
};

}  // namespace

std::string rendered(const LlmBundle& bundle, const Ordered& conversation, bool think) {
    return bundle.render(conversation.at("messages"), value_or(conversation, "tools", Ordered::array()), think);
}

Question question_of(const LlmBundle& bundle, const Ordered& request) {
    const std::string prompt = has(request, "prompt") ? request.at("prompt").get<std::string>()
                                                      : rendered(bundle, request, value_or(request, "think", true));
    const auto [guidance, form] = rules_of(bundle, request);
    const auto adapter = optional<std::string>(Json(request), "adapter");
    if (adapter) bundle.require_adapter(*adapter);
    const auto speculate = optional<std::string>(Json(request), "speculate");
    const Tokens ids = bundle.encode(prompt, !has(request, "prompt"));
    const auto most = value_or(request, "max_tokens", bundle.budget);
    const auto drawn = Sampling::of(value_or(bundle.answers, "sampling", Json::object()), Json(request));
    if (speculate) bundle.require_speculation(*speculate, ids, most, drawn.reach().has_value());
    return {ids,
            most,
            drawn,
            value_or(request, "stop", std::vector<std::string>()),
            guidance,
            form,
            splitter_of(bundle, prompt, guidance.has_value()),
            adapter,
            speculate};
}

Answer answer(const LlmBundle& bundle, Slots& slots, const Question& question, Stop& stop, const Sink& sink) {
    Search options = question.sampling.options();
    if (question.adapter) options.emplace_back(ADAPTER, *question.adapter);
    if (question.speculate) options.emplace_back(SPECULATE, *question.speculate);
    const Start start{question.ids, question.max_tokens, options, question.guidance, question.sampling.seed.has_value()};
    Slot slot = slots.begin(start, stop, sink.progress);
    Answer answer;
    answer.prompt_tokens = question.ids.size();
    answer.reused = slot.reused;
    const size_t before = question.speculate ? slot.generator.passes() : 0;
    std::optional<Stopwatch> since_first;
    Teller teller(bundle, question, sink.show);
    const std::optional<double> reach = question.sampling.reach();
    const auto most = static_cast<size_t>(question.max_tokens), whole = static_cast<size_t>(bundle.max_length);
    slot.read.reserve(std::min(whole, slot.read.size() + most));
    while (answer.reason.empty() && !stop.asked() && !slot.generator.done() && answer.tokens < most &&
           slot.read.size() < whole) {
        if (reach) slot.generator.keep_within(*reach);
        slot.generator.generate();
        const int32_t token = slot.generator.token();
        slot.read.push_back(token);
        ++answer.tokens;
        if (!since_first) since_first.emplace();
        if (bundle.eos_token_ids.count(token)) {
            answer.reason = "eos";
        } else {
            teller.push(token);
            if (teller.stopped()) answer.reason = "stop";
        }
        const bool anew = answer.reason.empty() && bundle.crosses(slot.read.size() - 1, slot.read.size());
        // Under a schema the engine would begin it anew.
        if (anew && !question.guidance) slots.reread(slot, Tokens(slot.read), stop);
    }
    answer.calls = teller.finish(question.form);
    if (teller.stopped()) answer.reason = "stop";
    if (answer.reason.empty() && stop.asked()) answer.reason = "cancelled";
    if (answer.reason.empty()) answer.reason = answer.tokens >= most ? "length" : "max_length";
    answer.decode_s = since_first ? since_first->seconds() : 0;
    if (question.speculate) answer.passes = slot.generator.passes() - before;
    slots.give_back(std::move(slot));
    return answer;
}

Answer answer_alone(const LlmBundle& bundle, const Question& question, const Splitter::Show& show) {
    Slots none(bundle, 0);
    Stop never;
    return answer(bundle, none, question, never, {[](size_t, size_t) {}, show});
}

}  // namespace edgekit
