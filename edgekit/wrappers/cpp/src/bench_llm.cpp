#include <algorithm>

#include "bench.h"
#include "refused.h"
#include "steady.h"

namespace edgekit {
namespace {

constexpr int64_t CHUNK = 8;  // tokens of one warm-up run

// A text that gives at least `tokens` tokens, of which the first `tokens` are read.
struct Prompt {
    std::string text;
    size_t tokens;
};

// Times of one request: seconds until its prompt was read, and when each token came, from its start.
struct Timed {
    double prefill_s = 0;
    std::vector<double> token_s;
};

using Samples = std::map<std::string, std::vector<double>>;

Tokens ids_of(const LlmBundle& bundle, const Prompt& prompt) {
    Tokens ids = bundle.encode(prompt.text);
    ids.resize(std::min(ids.size(), prompt.tokens));
    return ids;
}

// A generator with room for an answer of `new_tokens`, which end tokens do not cut short.
Generator start(const LlmBundle& bundle, const Tokens& ids, int64_t new_tokens) {
    const auto room = static_cast<double>(ids.size()) + static_cast<double>(new_tokens);
    return bundle.start(ids, new_tokens, {{"do_sample", false}, {"min_length", room}});
}

// One request as an app makes it: tokenize, read, answer, decode.
Timed answer(const LlmBundle& bundle, const Prompt& prompt, int64_t new_tokens) {
    const Stopwatch watch;
    const Tokens ids = ids_of(bundle, prompt);
    Generator generator = start(bundle, ids, new_tokens);
    Streamer streamer = bundle.streamer();
    const double ready = watch.seconds();
    generator.append(ids);
    Timed timed{watch.seconds() - ready, {}};
    for (int64_t at = 0; at < new_tokens; ++at) {
        generator.generate();
        streamer.push(generator.token());
        timed.token_s.push_back(watch.seconds());
    }
    return timed;
}

// Warm-up runs: CHUNK tokens each, from answers that are begun again when they are full.
class Chunks {
  public:
    Chunks(const LlmBundle& bundle, const Prompt& prompt, int64_t new_tokens)
        : bundle_(bundle), ids_(ids_of(bundle, prompt)), new_tokens_(new_tokens) {}

    double run() {
        if (left_ < CHUNK) {
            generator_.emplace(start(bundle_, ids_, new_tokens_));
            generator_->append(ids_);
            left_ = new_tokens_;
        }
        const int64_t count = std::min(CHUNK, left_);
        left_ -= count;
        const Stopwatch watch;
        for (int64_t at = 0; at < count; ++at) generator_->generate();
        return watch.seconds();
    }

  private:
    const LlmBundle& bundle_;
    const Tokens ids_;
    const int64_t new_tokens_;
    std::optional<Generator> generator_;
    int64_t left_ = 0;  // tokens until the answer is full
};

// Text of at least `count` tokens, made of the plan's own tokens over and over; nothing where there is no such text.
std::optional<Prompt> make_prompt(const LlmBundle& bundle, const Tokens& ids, size_t count) {
    for (size_t wanted = count; wanted <= 4 * count + 64; wanted += std::max<size_t>(8, count / 16)) {
        Tokens repeated;
        for (size_t at = 0; at < wanted; ++at) repeated.push_back(ids[at % ids.size()]);
        const std::string text = bundle.decode(repeated);  // may give fewer tokens than it was made of
        if (bundle.encode(text).size() >= count) return Prompt{text, count};
    }
    return std::nullopt;
}

// The prompts that fit into the bundle; why the others are skipped.
std::vector<Prompt> prompts_of(const LlmBundle& bundle, const Tokens& ids, const Json& plan, Json& skipped) {
    std::vector<Prompt> prompts;
    for (const Json& one : plan.at("prompts")) {
        const auto count = one.get<int64_t>();
        const int64_t room = count + (prompts.empty() ? plan.at("new_tokens").get<int64_t>() : 1);
        const std::string workload = "pp" + std::to_string(count);
        if (room > bundle.max_length) {
            skipped[workload] = "it takes " + std::to_string(room) + " tokens, the bundle's max_length is " +
                                std::to_string(bundle.max_length);
        } else if (auto prompt = make_prompt(bundle, ids, static_cast<size_t>(count))) {
            prompts.push_back(std::move(*prompt));
        } else {
            skipped[workload] = "the bundle's check text cannot be made into a prompt of that length";
        }
    }
    return prompts;
}

void add(Samples& samples, const Prompt& prompt, const Timed& timed, bool whole) {
    const std::string at = "@pp" + std::to_string(prompt.tokens);
    samples["ttft_ms" + at].push_back(timed.token_s.front() * 1000);
    samples["prefill_tps" + at].push_back(static_cast<double>(prompt.tokens) / timed.prefill_s);
    const size_t gaps = timed.token_s.size() - 1;
    if (!whole || !gaps) return;
    samples["decode_tps"].push_back(static_cast<double>(gaps) / (timed.token_s.back() - timed.token_s.front()));
    for (size_t i = 0; i < gaps; ++i) samples["itl_ms"].push_back((timed.token_s[i + 1] - timed.token_s[i]) * 1000);
}

// At least rule.min trials, then until every confidence interval is narrow, rule.max or the time is up.
bool enough(const Samples& samples, int trials, double seconds, const Json& rule) {
    if (trials && (trials >= rule.at("max").get<int>() || seconds >= rule.at("max_s").get<double>())) return true;
    return trials >= rule.at("min").get<int>() && std::all_of(samples.begin(), samples.end(), [&](const auto& one) {
               return one.first == "itl_ms" || half_width(one.second) <= rule.at("half_width").template get<double>();
           });
}

}  // namespace

Json bench(const LlmBundle& bundle, const Arrays& inputs, const Json& plan, const Machine& machine, const Tell& tell) {
    Tokens ids;
    for (int64_t id : integers(inputs.at("token_ids"))) ids.push_back(static_cast<int32_t>(id));
    if (ids.empty()) throw Refused("the bundle's check text is empty", "build the bundle again");
    Json skipped = Json::object();
    const std::vector<Prompt> prompts = prompts_of(bundle, ids, plan, skipped);
    if (prompts.empty()) {
        return {{"samples", Json::object()}, {"skipped", skipped}, {"watch", Json::object()},
                {"warmup", nullptr},         {"trials", 0},        {"memory", Json::array()}};
    }
    const auto new_tokens = plan.at("new_tokens").get<int64_t>();
    tell("warming up");
    Chunks chunks(bundle, prompts.front(), new_tokens);
    const Json warm = warm_up([&] { return chunks.run(); }, plan.at("warmup"));
    Samples samples;
    Json phases = Json::array({memory("warm", machine)});
    const Json& rule = plan.at("trials");
    Watch watch(machine);
    const Stopwatch since;
    int trials = 0;
    while (!enough(samples, trials, since.seconds(), rule)) {
        tell("trial " + std::to_string(trials + 1) + " of " + rule.at("min").dump() + " to " + rule.at("max").dump());
        for (const Prompt& prompt : prompts) {
            const bool whole = &prompt == &prompts.front();
            add(samples, prompt, answer(bundle, prompt, whole ? new_tokens : 1), whole);
        }
        ++trials;
        watch.lap();
        phases.push_back(memory("trial " + std::to_string(trials), machine));
    }
    return {{"samples", samples}, {"skipped", skipped}, {"watch", watch.report()},
            {"warmup", warm},     {"trials", trials},   {"memory", phases}};
}

Json memory(const std::string& phase, const Machine& machine) {
    return {{"phase", phase}, {"mb", or_null(machine.footprint_mb())}};
}

}  // namespace edgekit
