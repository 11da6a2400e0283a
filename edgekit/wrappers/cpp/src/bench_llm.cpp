#include <algorithm>
#include <cmath>
#include <optional>

#include "bench.h"
#include "refused.h"
#include "steady.h"

namespace edgekit {
namespace {

constexpr int64_t CHUNK = 8;  // tokens of one warm-up run

// A text that gives at least `tokens` tokens, of which the first `tokens` are read.
struct Prompt {
    std::string text;
    size_t tokens = 0;
};

// A request of every trial, and which of its times are kept.
struct Workload {
    Prompt prompt;
    bool read = false;      // the time to its first token, as @ppN
    bool answered = false;  // decoding, the plan's main one; only one request has it
    bool deep = false;      // decoding with that many tokens in the context, as @dN
};

// Times of one request: seconds until its prompt was read, and when each token came, from its start.
struct Timed {
    double prefill_s = 0;
    std::vector<double> token_s;
};

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

// The plan's prompts and depths that fit into the bundle; why the others are skipped.
std::vector<Workload> workloads_of(const LlmBundle& bundle, const Tokens& ids, const Json& plan, Json& skipped) {
    const auto new_tokens = plan.at("new_tokens").get<int64_t>();
    const auto prompts = plan.at("prompts").get<std::vector<int64_t>>();
    std::vector<int64_t> depths = value_or(plan, "depths", std::vector<int64_t>());
    depths.erase(std::remove(depths.begin(), depths.end(), 0), depths.end());
    std::vector<int64_t> counts = prompts;
    for (int64_t depth : depths) {
        if (!std::count(counts.begin(), counts.end(), depth)) counts.push_back(depth);
    }
    std::vector<Workload> found;
    bool taken = false;  // a prompt is answered already
    for (int64_t count : counts) {
        const bool answered = !taken && std::count(prompts.begin(), prompts.end(), count);
        // Whether a use of the prompt is asked for and can be had; if it cannot, why.
        const auto use = [&](const std::vector<int64_t>& asked, const char* letters, int64_t room,
                             const std::optional<Prompt>& prompt) {
            if (!std::count(asked.begin(), asked.end(), count)) return false;
            const std::string workload = letters + std::to_string(count);
            if (room > bundle.max_length) {
                skipped[workload] = "it takes " + std::to_string(room) + " tokens, the bundle's max_length is " +
                                    std::to_string(bundle.max_length);
            } else if (!prompt) {
                skipped[workload] = "the bundle's check text cannot be made into a prompt of that length";
            }
            return !skipped.contains(workload);
        };
        std::optional<Prompt> prompt;
        if (count < bundle.max_length) prompt = make_prompt(bundle, ids, static_cast<size_t>(count));
        const bool read = use(prompts, "pp", count + (answered ? new_tokens : 1), prompt);
        const bool deep = use(depths, "d", count + new_tokens, prompt);
        if (!read && !deep) continue;
        found.push_back({*prompt, read, read && answered, deep});
        taken = taken || (read && answered);
    }
    return found;
}

Samples times(const Workload& workload, const Timed& timed) {
    const std::string tokens = std::to_string(workload.prompt.tokens);
    Samples found;
    if (workload.read) {
        found["ttft_ms@pp" + tokens] = {timed.token_s.front() * 1000};
        found["prefill_tps@pp" + tokens] = {static_cast<double>(workload.prompt.tokens) / timed.prefill_s};
    }
    const size_t gaps = timed.token_s.size() - 1;
    if (!gaps) return found;
    const double decode_tps = static_cast<double>(gaps) / (timed.token_s.back() - timed.token_s.front());
    if (workload.deep) found["decode_tps@d" + tokens] = {decode_tps};
    if (!workload.answered) return found;
    found["decode_tps"] = {decode_tps};
    for (size_t i = 0; i < gaps; ++i) found["itl_ms"].push_back((timed.token_s[i + 1] - timed.token_s[i]) * 1000);
    return found;
}

// One trial: every request once.
Samples answers(const LlmBundle& bundle, const std::vector<Workload>& workloads, int64_t new_tokens) {
    Samples found;
    for (const Workload& one : workloads) {
        add(found, times(one, answer(bundle, one.prompt, one.answered || one.deep ? new_tokens : 1)));
    }
    return found;
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
    std::vector<Workload> workloads = workloads_of(bundle, ids, plan, skipped);
    if (workloads.empty()) {
        return {{"samples", Json::object()}, {"skipped", skipped}, {"watch", Json::object()},
                {"warmup", nullptr},         {"trials", 0},        {"memory", Json::array()}};
    }
    const auto new_tokens = plan.at("new_tokens").get<int64_t>();
    if (has(plan, "sustain_s")) {
        workloads.resize(1);
        const auto seconds = plan.at("sustain_s").get<double>();
        return sustained([&] { return answers(bundle, workloads, new_tokens); }, seconds, skipped, machine, tell);
    }
    tell("warming up");
    Chunks chunks(bundle, workloads.front().prompt, new_tokens);
    const Json warm = warm_up([&] { return chunks.run(); }, plan.at("warmup"));
    Samples samples;
    Json phases = Json::array({memory("warm", machine)});
    const Json& rule = plan.at("trials");
    Watch watch(machine);
    const Stopwatch since;
    int trials = 0;
    while (!enough(samples, trials, since.seconds(), rule)) {
        tell("trial " + std::to_string(trials + 1) + " of " + rule.at("min").dump() + " to " + rule.at("max").dump());
        add(samples, answers(bundle, workloads, new_tokens));
        ++trials;
        watch.lap();
        phases.push_back(memory("trial " + std::to_string(trials), machine));
    }
    return {{"samples", samples}, {"skipped", skipped}, {"watch", watch.report()},
            {"warmup", warm},     {"trials", trials},   {"memory", phases}};
}

Json sustained(const std::function<Samples()>& unit, double seconds, const Json& skipped, const Machine& machine,
               const Tell& tell) {
    unit();
    Json phases = Json::array({memory("warm", machine)});
    Samples samples;
    Watch watch(machine);
    const Stopwatch since;
    int laps = 0;
    double spent = 0;
    while (spent < seconds) {
        tell(std::to_string(std::lround(spent)) + " of " + std::to_string(std::lround(seconds)) + " s");
        Samples found = unit();
        found.erase("itl_ms");  // too many to keep
        add(samples, found);
        watch.lap();
        ++laps;
        spent = since.seconds();
    }
    phases.push_back(memory("sustained", machine));
    return {{"samples", samples}, {"skipped", skipped}, {"watch", watch.report()},
            {"warmup", nullptr},  {"trials", laps},     {"memory", phases}};
}

void add(Samples& samples, const Samples& more) {
    for (const auto& [name, values] : more) {
        samples[name].insert(samples[name].end(), values.begin(), values.end());
    }
}

Json memory(const std::string& phase, const Machine& machine) {
    return {{"phase", phase}, {"mb", or_null(machine.footprint_mb())}};
}

}  // namespace edgekit
