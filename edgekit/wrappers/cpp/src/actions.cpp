#include "actions.h"

#include <algorithm>
#include <map>
#include <type_traits>

#include "bench.h"
#include "calls.h"
#include "core.h"
#include "functions.h"
#include "goldens.h"
#include "lasting.h"
#include "manifest.h"
#include "npz.h"
#include "pages.h"
#include "refused.h"
#include "respond.h"
#include "steady.h"
#include "strict.h"
#include "words.h"

namespace fs = std::filesystem;

namespace edgekit {
namespace {

struct Context {
    const Ordered& asked;  // the request, with its keys in their order
    const Json request;
    Engines& engines;
    const Machine& machine;
    const Emit& emit;

    fs::path path(const char* key) const { return fs::u8path(request.at(key).get<std::string>()); }
    const Json& plan() const { return request.at("plan"); }

    Wanted wanted() const {
        return {path("bundle"), optional<std::string>(request, "variant"), value_or(request, "threads", 0),
                value_or(request, "hashes", false), value_or(request, "foreign", false)};
    }
    Opened find() const { return find_bundle(wanted(), engines); }
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

// Calls `with()`, which reads the bundle's check data: an input there that the model does not take is the bundle's fault.
template <typename With>
auto on_check_data(With with) {
    try {
        return with();
    } catch (const Refused& refused) {
        if (refused.code != "usage") throw;
        throw Refused(std::string("the bundle's check data cannot be used: ") + refused.what(), "fetch the bundle again");
    }
}

Json identify(const Context& context) { return {{"device", context.machine.facts()}}; }

// Seconds from a folder to a model that is ready; the engines' own libraries are loaded before.
Json load(const Context& context) {
    const Opened found = context.find();
    context.engines.onnxruntime_of(found.kind());
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

// The prompts of request["conversations"], each with messages and tools, by the bundle's own chat template.
Json render(const Context& context) {
    const LlmBundle bundle = context.llm("");
    Json prompts = Json::array();
    for (const Ordered& one : context.asked.at("conversations")) {
        prompts.push_back(rendered(bundle, one, value_or(one, "think", true)));
    }
    return {{"prompts", prompts}};
}

// The function calls in request["answers"], each with its text and the form of its family.
Json calls(const Context& context) {
    Json found = Json::array();
    for (const Json& one : context.request.at("answers")) {
        found.push_back(Json(calls_in(one.at("text").get<std::string>(), one.at("form").get<std::string>())));
    }
    return {{"calls", found}};
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
        Json cases = parse_json(read_bytes(path), false).at("cases");
        const auto count = std::min(cases.size(), asked.at("count").get<size_t>());
        cases.erase(cases.begin() + static_cast<std::ptrdiff_t>(count), cases.end());
        return ask(bundle, cases, asked.at("new_tokens").get<int64_t>());
    } catch (const Refused&) {
        throw;
    } catch (const EngineError&) {
        throw;
    } catch (const std::exception& error) {  // no strict JSON, or of another form
        throw Refused(path.filename().u8string() + " cannot be read: " + error.what(),
                      "fetch the bundle again, or build it with this edgekit");
    }
}

Json compare_goldens(const Context& context) {
    const Json& plan = context.plan().at("goldens");
    const Arrays recorded = read_npz(inside(context.path("bundle"), plan.at("file").get<std::string>()));
    const Json& rule = plan.at("rule");
    return opened(context, [&](const auto& bundle) -> Json {
        Json compared = on_check_data([&] {
            return compare(record(bundle, context.inputs(), rule, context.machine.kernels()), recorded, rule);
        });
        if constexpr (std::is_same_v<decltype(bundle), const LlmBundle&>) {
            if (has(context.plan(), "function_calls")) compared = with_calls(compared, calls_of(context, bundle));
        }
        return {{"goldens", compared}, {"engines", context.engines.versions(bundle.opened.kind())}};
    });
}

Json measure(const Context& context) {
    const Tell tell = [&](const std::string& text) { context.emit("progress", {{"text", text}}); };
    Json measured = opened(context, [&](const auto& bundle) {
        const Arrays inputs = context.inputs();
        const Json loaded = memory("loaded", context.machine);
        Json found = on_check_data(
            [&] { return bench(bundle, inputs, context.plan().at("bench"), context.machine, tell); });
        found["memory"].insert(found["memory"].begin(), loaded);
        found["variant"] = bundle.opened.variant.at("name");
        found["engines"] = context.engines.versions(bundle.opened.kind());
        return found;
    });
    measured["peak_rss_mb"] = or_null(context.machine.peak_rss_mb());
    return measured;
}

// The next event; an engine's own failure ends the job without an outcome, as in every other action.
Event next_of(Run& run) try {
    return run.next();
} catch (const Refused& refused) {
    if (refused.code == "internal") throw EngineError(refused.what());
    throw;
}

// Answer request["messages"] or request["prompt"]; each piece of text, of a thought, and each call is an event.
Json generate(const Context& context) {
    Opening opening{context.wanted()};
    opening.slots = 0;  // no other question follows
    Core core(std::move(opening), context.engines);
    if (!core.is_llm()) throw Refused("the bundle is no language model", "give --input FILE", "usage");
    Ordered asked = Core::asked_in(context.asked);
    if (asked.contains("prompt")) asked.erase("messages");
    const std::shared_ptr<Run> run = core.respond(std::move(asked));
    Ordered calls = Ordered::array();
    Event event = next_of(*run);
    for (; event.kind != Event::DONE; event = next_of(*run)) {
        if (event.kind == Event::TEXT) context.emit("piece", {{"text", event.text}});
        if (event.kind == Event::THOUGHT) context.emit("thought", {{"text", event.text}});
        if (event.kind != Event::TOOL_CALL) continue;
        calls.push_back({{"name", event.name}, {"arguments", Ordered::parse(event.text)}});
        context.emit("call", Json(calls.back()));
    }
    Json outcome = {{"calls", Json(calls)}};
    const Json done = Json::parse(event.text);
    for (const char* key : {"reason", "prompt_tokens", "tokens", "ttft_ms", "decode_tps", "passes"}) outcome[key] = done.at(key);
    return outcome;
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

Json act(const Ordered& asked, Engines& engines, const Machine& machine, const Emit& emit) {
    static const auto& actions = lasting(std::map<std::string, Json (*)(const Context&)>{
        {"identify", identify}, {"load", load},         {"encode", encode},           {"render", render},
        {"bench", measure},     {"generate", generate}, {"goldens", compare_goldens}, {"record", record_goldens},
        {"tensors", tensors},   {"calls", calls}});
    const std::string action = asked.at("action").get<std::string>();
    const auto found = actions.find(action);
    if (found == actions.end()) throw Refused("there is no action " + quoted(action), "", "usage");
    return found->second({asked, Json(asked), engines, machine, emit});
}

}  // namespace edgekit
