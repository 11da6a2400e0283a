#include "actions.h"

#include <algorithm>
#include <map>
#include <type_traits>

#include "bench.h"
#include "calls.h"
#include "files.h"
#include "goldens.h"
#include "manifest.h"
#include "npz.h"
#include "pages.h"
#include "refused.h"
#include "steady.h"
#include "words.h"

namespace fs = std::filesystem;

namespace edgekit {
namespace {

struct Context {
    const Json& request;
    Engines& engines;
    const Machine& machine;
    const Emit& emit;

    fs::path path(const char* key) const { return fs::u8path(request.at(key).get<std::string>()); }
    const Json& plan() const { return request.at("plan"); }

    Opened find() const {
        return find_bundle({path("bundle"), optional<std::string>(request, "variant"), value_or(request, "threads", 0),
                            value_or(request, "hashes", false), value_or(request, "foreign", false)},
                           engines);
    }
    LlmBundle llm(const std::string& next) const {
        Opened found = find();
        if (found.kind() != "llm") throw Refused("the bundle is no language model", next, "usage");
        return LlmBundle(std::move(found), engines);
    }
    Arrays inputs() const { return read_npz(inside(path("bundle"), plan().at("inputs").get<std::string>())); }
};

// Calls `with(bundle)` with what the bundle is: an LlmBundle or a TensorBundle.
template <typename With>
Json opened(const Context& context, With with) {
    Opened found = context.find();
    if (found.kind() == "llm") return with(LlmBundle(std::move(found), context.engines));
    return with(TensorBundle(std::move(found), context.engines));
}

Json identify(const Context& context) { return {{"device", context.machine.facts()}}; }

// Seconds from a folder to a model that is ready; the engines' own libraries are loaded before.
Json load(const Context& context) {
    const Opened found = context.find();
    context.engines.onnxruntime();
    if (found.kind() == "llm") context.engines.genai();
    std::string cache = "warm: not evicted";
    if (value_or(context.request, "evict", false)) {
        const fs::path model = found.model();
        cache = evict(fs::is_directory(model) ? model : model.parent_path());
    }
    const Stopwatch watch;
    return opened(context, [&](const auto& bundle) -> Json {
        return {{"load_s", watch.seconds()}, {"page_cache", cache}, {"kind", bundle.opened.kind()}};
    });
}

Json encode(const Context& context) {
    return {{"ids", context.llm("").encode(context.request.at("text").get<std::string>())}};
}

Json record_goldens(const Context& context) {
    const Json& rule = context.plan().at("goldens").at("rule");
    const Arrays arrays = [&] {
        Arrays found;
        opened(context, [&](const auto& bundle) -> Json {
            found = record(bundle, context.inputs(), rule, context.machine.kernels());
            return {};
        });
        return found;
    }();
    write_npz(context.path("goldens"), arrays);
    if (!arrays.count("margin")) return {{"recorded", arrays.size()}};
    size_t sure = 0;
    for (double margin : numbers(arrays.at("margin"))) sure += margin > rule.at("margin").get<double>();
    return {{"recorded", sure}};
}

// Ask the first `count` cases of the bundle's function calls.
Json calls_of(const Context& context, const LlmBundle& bundle) {
    const Json& asked = context.plan().at("function_calls");
    const fs::path path = inside(context.path("bundle"), asked.at("file").get<std::string>());
    try {
        Json cases = Json::parse(read_text(path).value_or("")).at("cases");
        const auto count = std::min(cases.size(), asked.at("count").get<size_t>());
        cases.erase(cases.begin() + static_cast<std::ptrdiff_t>(count), cases.end());
        return ask(bundle, cases, asked.at("new_tokens").get<int64_t>());
    } catch (const Json::exception& error) {
        throw Refused(path.filename().u8string() + " cannot be read: " + error.what(),
                      "fetch the bundle again, or build it with this edgekit");
    }
}

Json compare_goldens(const Context& context) {
    const Json& plan = context.plan().at("goldens");
    const Arrays recorded = read_npz(inside(context.path("bundle"), plan.at("file").get<std::string>()));
    const Json& rule = plan.at("rule");
    const Json found = opened(context, [&](const auto& bundle) {
        Json compared = compare(record(bundle, context.inputs(), rule, context.machine.kernels()), recorded, rule);
        if constexpr (std::is_same_v<decltype(bundle), const LlmBundle&>) {
            if (has(context.plan(), "function_calls")) return with_calls(compared, calls_of(context, bundle));
        }
        return compared;
    });
    return {{"goldens", found}, {"engines", context.engines.versions()}};
}

Json measure(const Context& context) {
    const Tell tell = [&](const std::string& text) { context.emit("progress", {{"text", text}}); };
    Json measured = opened(context, [&](const auto& bundle) {
        const Arrays inputs = context.inputs();
        const Json loaded = memory("loaded", context.machine);
        Json found = bench(bundle, inputs, context.plan().at("bench"), context.machine, tell);
        found["memory"].insert(found["memory"].begin(), loaded);
        found["variant"] = bundle.opened.variant.at("name");
        return found;
    });
    measured["peak_rss_mb"] = or_null(context.machine.peak_rss_mb());
    measured["engines"] = context.engines.versions();
    return measured;
}

// Answer request["messages"] or request["prompt"]; each piece of text is an event.
Json generate(const Context& context) {
    const Json& request = context.request;
    const LlmBundle bundle = context.llm("give --input FILE");
    const Stopwatch watch;
    const std::string prompt =
        has(request, "prompt") ? request.at("prompt").get<std::string>() : bundle.render(request.at("messages"));
    LlmBundle::Question question{bundle.encode(prompt),
                                 request.at("max_tokens").get<int64_t>(),
                                 sampling(request.at("temperature").get<double>(), request.at("top_p").get<double>(),
                                          optional<int64_t>(request, "seed")),
                                 value_or(request, "stop", std::vector<std::string>()),
                                 {}};
    if (has(request, "json_schema")) {
        const Json& schema = request.at("json_schema");
        question.json_schema = schema.is_string() ? schema.get<std::string>() : schema.dump();
    }
    const Answer answer =
        bundle.generate(question, [&](const std::string& text) { context.emit("piece", {{"text", text}}); });
    const double first = watch.seconds() - answer.decode_s;
    const double gaps = static_cast<double>(answer.tokens) - 1;
    return {{"reason", answer.reason},
            {"prompt_tokens", answer.prompt_tokens},
            {"tokens", answer.tokens},
            {"ttft_ms", first * 1000},
            {"decode_tps", gaps > 0 ? Json(gaps / answer.decode_s) : Json(nullptr)}};
}

// Inferences in their order: feeds ("0.x", "1.x", ...) from the file request["inputs"], outputs likewise. states:
// {input: output}; from the second call on these inputs are the call before's outputs.
Json tensors(const Context& context) {
    Opened found = context.find();
    if (found.kind() != "tensor") throw Refused("the bundle is a language model", "give a prompt", "usage");
    const TensorBundle bundle(std::move(found), context.engines);
    const auto states = value_or(context.request, "states", std::map<std::string, std::string>());
    Arrays outputs, all;
    std::vector<double> latency_ms;
    for (Arrays& feed : feeds(read_npz(context.path("inputs")))) {
        const std::string at = std::to_string(latency_ms.size()) + ".";
        if (!latency_ms.empty()) {
            for (const auto& [input, output] : states) feed[input] = outputs.at(output);
        }
        const Stopwatch watch;
        outputs = bundle.run(feed);
        latency_ms.push_back(watch.seconds() * 1000);
        for (const auto& [name, array] : outputs) all[at + name] = array;
    }
    write_npz(context.path("outputs"), all);
    return {{"latency_ms", latency_ms}, {"labels", or_null(bundle.labels())}};
}

}  // namespace

Json act(const Json& request, Engines& engines, const Machine& machine, const Emit& emit) {
    static const std::map<std::string, Json (*)(const Context&)> actions{
        {"identify", identify}, {"load", load},       {"encode", encode},     {"record", record_goldens},
        {"bench", measure},     {"tensors", tensors}, {"generate", generate}, {"goldens", compare_goldens}};
    const std::string action = request.at("action").get<std::string>();
    const auto found = actions.find(action);
    if (found == actions.end()) throw Refused("there is no action " + quoted(action), "", "usage");
    return found->second({request, engines, machine, emit});
}

}  // namespace edgekit
