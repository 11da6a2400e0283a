// The C++ face as a process: a request as JSON a line of stdin, an answer as JSON a line of the file that is named.
// {"value": ...}, {"refused": {code, message, next, axis}}; anything else ends the process.
#include <chrono>
#include <climits>
#include <edgekit.hpp>
#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <list>
#include <map>
#include <thread>

#include "readme.h"

namespace {

using edgekit::Bundle;
using edgekit::Document;
using edgekit::Event;
using edgekit::json::write;
using Pairs = std::vector<std::pair<const char*, std::string>>;

std::list<Bundle> bundles;
std::list<edgekit::Conversation> chats;

template <typename Of>
Of& at(std::list<Of>& all, const Document& asked, const char* path) {
    return *std::next(all.begin(), asked.get<long>(path).value());
}

std::string object(const Pairs& members) { return write('{', members, '}'); }

std::string list(const std::vector<std::string>& elements) {
    Pairs parts;
    for (const std::string& element : elements) parts.emplace_back(nullptr, element);
    return write('[', parts, ']');
}

std::vector<std::string> each(const Document& asked, const std::string& path) {
    std::vector<std::string> paths;
    while (asked.has(path + "/" + std::to_string(paths.size()))) {
        paths.push_back(path + "/" + std::to_string(paths.size()));
    }
    return paths;
}

edgekit::Settings settings(const Document& asked, const std::string& in = "") {
    edgekit::Settings made;
    made.max_tokens = asked.get<int64_t>(in + "/max_tokens");
    made.top_k = asked.get<int64_t>(in + "/top_k");
    made.seed = asked.get<int64_t>(in + "/seed");
    made.temperature = asked.get<double>(in + "/temperature");
    made.top_p = asked.get<double>(in + "/top_p");
    made.min_p = asked.get<double>(in + "/min_p");
    made.repetition_penalty = asked.get<double>(in + "/repetition_penalty");
    made.think = asked.get<bool>(in + "/think");
    made.tools = asked.get(in + "/tools");
    made.json_schema = asked.get(in + "/json_schema");
    made.call = asked.get(in + "/call");
    for (const std::string& stop : each(asked, in + "/stop")) made.stop.emplace().push_back(asked.get(stop));
    return made;
}

std::string told(const Event& event) {
    struct Told {
        std::string operator()(const edgekit::Progress& now) const {
            return object({{"kind", write("progress")}, {"read", write(now.read)}, {"of", write(now.of)}});
        }
        std::string operator()(const edgekit::Text& now) const {
            return object({{"kind", write("text")}, {"text", write(now.text)}});
        }
        std::string operator()(const edgekit::Thought& now) const {
            return object({{"kind", write("thought")}, {"text", write(now.text)}});
        }
        std::string operator()(const edgekit::ToolCall& now) const {
            return object({{"kind", write("call")},
                           {"id", write(now.id)},
                           {"name", write(now.name)},
                           {"arguments", write(now.arguments)}});
        }
        std::string operator()(const edgekit::Done& now) const {
            return object({{"kind", write("done")},
                           {"reason", write(now.reason)},
                           {"prompt_tokens", write(now.prompt_tokens)},
                           {"tokens", write(now.tokens)},
                           {"reused", write(now.reused)},
                           {"loaded", write(now.loaded)},
                           {"ttft_ms", write(now.ttft_ms)},
                           {"decode_tps", write(now.decode_tps)}});
        }
    };
    return std::visit(Told{}, event);
}

// The events of a loop, or its first ones.
std::string told(edgekit::Run run, size_t most = SIZE_MAX) {
    std::vector<std::string> all;
    for (const Event& event : run) {
        all.push_back(told(event));
        if (all.size() == most) break;
    }
    return list(all);
}

std::string text(edgekit::Run& run) {
    std::string all;
    for (const Event& event : run) {
        if (const auto* part = std::get_if<edgekit::Text>(&event)) all += part->text;
    }
    return all;
}

edgekit::Run respond(const Document& asked) {
    const Bundle& bundle = at(bundles, asked, "/bundle");
    const edgekit::Settings chosen = settings(asked, "/request");
    if (!asked.has("/request/messages")) return bundle.respond(asked.get("/request/prompt"), chosen);
    return bundle.respond(edgekit::restore(asked.get("/request/messages")), chosen);
}

std::string slow(const Document& asked) {
    std::vector<std::string> all;
    edgekit::Run run = respond(asked);
    for (const Event& event : run) {
        all.push_back(told(event));
        std::this_thread::sleep_for(std::chrono::milliseconds(asked.get<long>("/ms").value()));
    }
    return list(all);
}

// Everything that is told; another thread cancels once `pieces` of the prompt and `chars` of the text were.
std::string answer(const Document& asked) {
    edgekit::Run run = respond(asked);
    std::vector<std::string> all;
    long pieces = 0, chars = 0;
    for (bool more = true; more;) {
        const Event event = run.next();
        more = !std::holds_alternative<edgekit::Done>(event);
        all.push_back(told(event));
        if (std::holds_alternative<edgekit::Progress>(event)) ++pieces;
        if (const auto* part = std::get_if<edgekit::Text>(&event)) {
            for (const char letter : part->text) chars += (letter & 0xC0) != 0x80;
        }
        const bool due = pieces >= asked.get<long>("/pieces").value_or(LONG_MAX) &&
                         chars >= asked.get<long>("/chars").value_or(LONG_MAX);
        if (due) std::thread([&run] { run.cancel(); }).join();
    }
    if (told(run.next()) != all.back()) std::abort();  // it comes again
    return list(all);
}

// Two answers at once; the later one is read first.
std::string two(const Document& asked) {
    const Bundle& bundle = at(bundles, asked, "/bundle");
    std::vector<edgekit::Run> runs;
    for (int which = 0; which < 2; ++which) {
        runs.push_back(bundle.respond(edgekit::restore(asked.get("/messages")), settings(asked)));
    }
    std::future<std::string> later = std::async(std::launch::async, [&] { return text(runs[1]); });
    const std::string first = text(runs[0]);
    return list({write(first), write(later.get())});
}

// Another thread cancels after the first text or, in the prompt, the first progress; the reader is told so.
std::string cancel(const Document& asked) {
    edgekit::Run run = at(bundles, asked, "/bundle").respond(edgekit::restore(asked.get("/messages")), settings(asked));
    std::string reason;
    for (const Event& event : run) {
        const bool begun = std::holds_alternative<edgekit::Text>(event) || asked.get("/in_prompt") == "true";
        if (begun) std::thread([&run] { run.cancel(); }).join();
        if (const auto* done = std::get_if<edgekit::Done>(&event)) reason = done->reason;
    }
    return write(reason == "cancelled");
}

constexpr std::string_view LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(const std::string& bytes) {
    std::string made;
    for (size_t from = 0; from < bytes.size(); from += 3) {
        uint32_t group = 0;
        for (size_t byte = from; byte < from + 3; ++byte) {
            group = group << 8 | (byte < bytes.size() ? static_cast<uint8_t>(bytes[byte]) : 0U);
        }
        for (size_t letter = 0; letter < 4; ++letter) {
            made += from + letter > bytes.size() ? '=' : LETTERS[group >> (18 - 6 * letter) & 63];
        }
    }
    return made;
}

std::string from_base64(const std::string& text) {
    std::string made;
    uint32_t bits = 0, held = 0;
    for (const char letter : text.substr(0, text.find('='))) {
        bits = bits << 6 | static_cast<uint32_t>(LETTERS.find(letter));
        held += 6;
        if (held < 8) continue;
        held -= 8;
        made += static_cast<char>(bits >> held);
    }
    return made;
}

// The names of the tensors come as a list, for a Document knows paths.
std::vector<edgekit::Tensor> tensors(const Document& asked, const std::string& side, std::list<std::string>& memory) {
    std::vector<edgekit::Tensor> made;
    for (const std::string& path : each(asked, "/" + side + "_names")) {
        edgekit::Tensor& tensor = made.emplace_back();
        tensor.name = asked.get(path);
        const std::string fields = "/" + side + "/" + tensor.name;
        if (!asked.has(fields)) continue;
        tensor.type = asked.get(fields + "/type");
        for (const std::string& size : each(asked, fields + "/shape")) {
            tensor.shape.push_back(asked.get<int64_t>(size).value());
        }
        std::string& data = memory.emplace_back(from_base64(asked.get(fields + "/data")));
        tensor.data = data.data();
        tensor.bytes = data.size();
    }
    return made;
}

std::string infer(const Document& asked) {
    std::list<std::string> memory;
    const std::vector<edgekit::Tensor> inputs = tensors(asked, "inputs", memory);
    const edgekit::Tensors made = at(bundles, asked, "/bundle").infer(inputs, tensors(asked, "outputs", memory));
    Pairs outputs;
    for (const edgekit::Tensor& tensor : made.all) {
        std::vector<std::string> shape;
        for (const int64_t size : tensor.shape) shape.push_back(write(size));
        const std::string bytes(static_cast<const char*>(tensor.data), tensor.bytes);
        outputs.emplace_back(
            made[tensor.name].name.c_str(),
            object({{"type", write(tensor.type)}, {"shape", list(shape)}, {"data", write(base64(bytes))}}));
    }
    return object(outputs);
}

// As many floats through a net that gives back what it is fed, from memory of ours into memory of ours.
std::string large(const Document& asked) {
    const auto count = asked.get<size_t>("/floats").value();
    std::vector<float> x(count), y(count);
    for (size_t at = 0; at < count; ++at) x[at] = static_cast<float>(at);
    const std::vector<int64_t> shape{1, 1, 1, static_cast<int64_t>(count)};
    const std::vector read{edgekit::Tensor::of("x", x.data(), shape)}, made{edgekit::Tensor::of("y", y.data(), shape)};
    at(bundles, asked, "/bundle").infer(read, made);
    return write(x == y);
}

std::string classify(const Document& asked) {
    const std::string pixels = from_base64(asked.get("/pixels"));
    const auto height = asked.get<int64_t>("/height").value();
    const auto* const data = reinterpret_cast<const uint8_t*>(pixels.data());
    const auto stride = static_cast<int64_t>(pixels.size()) / height;
    const std::string format = asked.has("/format") ? asked.get("/format") : "rgb8";
    const auto picture = edgekit::Tensor::picture(data, asked.get<int64_t>("/width").value(), height, stride, format);
    std::vector<std::string> all;
    for (const edgekit::Category& each :
         at(bundles, asked, "/bundle").classify(picture, asked.get<int32_t>("/top").value())) {
        all.push_back(
            object({{"index", write(each.index)}, {"label", write(each.label)}, {"score", write(each.score)}}));
    }
    return list(all);
}

edgekit::Options options(const Document& asked) {
    edgekit::Options made;
    made.verify = asked.get("/verify") == "true";
    made.foreign = asked.get("/foreign") == "true";
    made.lazy = asked.get("/lazy") == "true";
    made.slots = asked.get<int32_t>("/slots").value_or(1);
    made.piece = asked.get<int32_t>("/piece").value_or(0);
    made.variant = asked.get("/variant");
    return made;
}

std::string preflight(const Document& asked) {
    const Bundle& bundle = at(bundles, asked, "/bundle");
    if (const auto tokens = asked.get<int64_t>("/tokens")) return bundle.preflight(*tokens, settings(asked)).text();
    return bundle.preflight(edgekit::restore(asked.get("/messages")), settings(asked)).text();
}

std::string serve(const Document& asked) {
    const auto bundle = [&asked]() -> Bundle& { return at(bundles, asked, "/bundle"); };
    const auto chat = [&asked]() -> edgekit::Conversation& { return at(chats, asked, "/chat"); };
    const size_t events = asked.get<size_t>("/events").value_or(SIZE_MAX);
    const std::map<std::string, std::function<std::string()>> all{
        {"open",
         [&] {
             bundles.push_back(Bundle::open(asked.get("/folder"), options(asked)));
             return write(bundles.size() - 1);
         }},
        {"close", [&] { return bundle().close(), "null"; }},
        {"facts", [&] { return bundle().facts().text(); }},
        {"preflight", [&] { return preflight(asked); }},
        {"answer", [&] { return answer(asked); }},
        {"request", [&] { return told(bundle().respond_to(asked.get("/request"))); }},
        {"two", [&] { return two(asked); }},
        {"leave",
         [&] { return told(bundle().respond(edgekit::restore(asked.get("/messages")), settings(asked)), events); }},
        {"cancel", [&] { return cancel(asked); }},
        {"slow", [&] { return slow(asked); }},
        {"trim",
         [&] {
             return write(
                 bundle().trim(asked.get("/what") == "caches" ? edgekit::Part::CACHES : edgekit::Part::WEIGHTS));
         }},
        {"infer", [&] { return infer(asked); }},
        {"large", [&] { return large(asked); }},
        {"classify", [&] { return classify(asked); }},
        {"chat",
         [&] {
             const std::string messages = asked.has("/messages") ? asked.get("/messages") : "[]";
             chats.push_back(bundle().conversation(edgekit::restore(messages), settings(asked)));
             return write(chats.size() - 1);
         }},
        {"send", [&] { return told(chat().send(asked.get("/text")), events); }},
        {"reply", [&] { return told(chat().reply(asked.get("/id"), asked.get("/json"))); }},
        {"history", [&] { return edgekit::save(chat().history()); }},
        {"readme", [&] { return readme(asked.get("/folder")); }},
    };
    return all.at(asked.get("/do"))();
}

// As in much of the world: what is JSON has a point all the same.
struct Comma : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
};

std::string answered(const std::string& line) {
    try {
        return object({{"value", serve(Document(line))}});
    } catch (const edgekit::Refused& why) {
        const Pairs members{{"code", write(why.code)},
                            {"message", write(std::string_view(why.what()))},
                            {"next", write(why.next)},
                            {"axis", write(why.axis)}};
        return object({{"refused", object(members)}});
    }
}

}  // namespace

int main(int, char** words) {
    std::ofstream answers(words[1]);
    std::locale::global(std::locale(std::locale::classic(), new Comma));
    for (std::string line; std::getline(std::cin, line);) answers << answered(line) << std::endl;
    return 0;
}
