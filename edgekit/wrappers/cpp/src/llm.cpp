#include "llm.h"

#include <algorithm>

#include "files.h"
#include "refused.h"
#include "steady.h"
#include "unicode.h"
#include "words.h"

namespace edgekit {
namespace {

Owned<OgaModel> open_model(const Opened& opened, const GenAi& genai) {
    const GenAiFunctions& api = genai.api();
    // GenAI's default is the context length, which it would allocate.
    Json overlay = {{"search", {{"max_length", opened.contract().at("max_length")}}}};
    if (opened.threads) {
        overlay["model"]["decoder"]["session_options"]["intra_op_num_threads"] = opened.threads;
    }
    const std::string folder = opened.model().u8string(), text = overlay.dump();
    try {
        const auto config = genai.made<OgaConfig>(
            [&](OgaConfig** out) { return api.OgaCreateConfig(folder.c_str(), out); }, api.OgaDestroyConfig);
        genai.check(api.OgaConfigOverlay(config.get(), text.c_str()));
        // A bundle of an accelerator that is run here for a look.
        if (opened.ep() == "cpu") genai.check(api.OgaConfigClearProviders(config.get()));
        return genai.made<OgaModel>([&](OgaModel** out) { return api.OgaCreateModelFromConfig(config.get(), out); },
                                    api.OgaDestroyModel);
    } catch (const EngineError& error) {
        cannot_open("ONNX Runtime GenAI", error.what());
    }
}

Owned<OgaTokenizer> open_tokenizer(const OgaModel* model, const GenAi& genai) {
    try {
        return genai.made<OgaTokenizer>([&](OgaTokenizer** out) { return genai.api().OgaCreateTokenizer(model, out); },
                                        genai.api().OgaDestroyTokenizer);
    } catch (const EngineError& error) {
        cannot_open("ONNX Runtime GenAI", error.what());
    }
}

int64_t window_of(const std::filesystem::path& config) try {
    const Json found = Json::parse(read_text(config).value_or(""), nullptr, false);  // what is wrong with it GenAI says
    if (!found.is_object()) return 1;
    const Json decoder = found.value("/model/decoder"_json_pointer, Json::object());
    if (!decoder.contains("pipeline")) return 1;
    return std::max<int64_t>(1, decoder.value("/sliding_window/window_size"_json_pointer, int64_t{1}));
} catch (const Json::exception&) {
    return 1;  // a value of another type
}

void set(const GenAi& genai, OgaGeneratorParams* params, const Search& search) {
    for (const auto& [name, value] : search) {
        const bool* yes = std::get_if<bool>(&value);
        genai.check(yes ? genai.api().OgaGeneratorParamsSetSearchBool(params, name.c_str(), *yes)
                        : genai.api().OgaGeneratorParamsSetSearchNumber(params, name.c_str(), std::get<double>(value)));
    }
}

}  // namespace

Search sampling(double temperature, double top_p, const std::optional<int64_t>& seed) {
    if (temperature <= 0) return {{"do_sample", false}};
    Search chosen = {{"do_sample", true}, {"temperature", temperature}, {"top_p", top_p}};
    if (seed) chosen.emplace_back("random_seed", static_cast<double>(*seed));
    return chosen;
}

LlmBundle::LlmBundle(Opened found, Engines& engines)
    : opened(std::move(found)),
      max_length(opened.contract().at("max_length").get<int64_t>()),
      window(window_of(opened.model() / "genai_config.json")),
      genai_(engines.genai()),
      vocab_size_(opened.contract().at("vocab_size").get<int64_t>()),
      eos_token_ids_(opened.contract().at("eos_token_ids").get<std::set<int64_t>>()),
      model_(open_model(opened, genai_)),
      tokenizer_(open_tokenizer(model_.get(), genai_)) {}

Tokens LlmBundle::encode(const std::string& text) const {
    const GenAiFunctions& api = genai_.api();
    const auto sequences = genai_.made<OgaSequences>(api.OgaCreateSequences, api.OgaDestroySequences);
    genai_.check(api.OgaTokenizerEncode(tokenizer_.get(), text.c_str(), sequences.get()));
    const int32_t* begin = api.OgaSequencesGetSequenceData(sequences.get(), 0);
    const Tokens ids(begin, begin + api.OgaSequencesGetSequenceCount(sequences.get(), 0));
    if (std::any_of(ids.begin(), ids.end(), [&](int32_t id) { return id < 0 || id >= vocab_size_; })) {
        throw Refused("the bundle's tokenizer has no token for a part of this text", "build the bundle again");
    }
    return ids;
}

std::string LlmBundle::decode(const Tokens& tokens) const {
    return whole_text([this](const Tokens& some) { return engine_decode(some); }, tokens);
}

Streamer LlmBundle::streamer() const {
    return Streamer([this](const Tokens& tokens) { return engine_decode(tokens); });
}

std::string LlmBundle::engine_decode(const Tokens& tokens) const {
    const std::string text = genai_.text([&](const char** out) {
        return genai_.api().OgaTokenizerDecode(tokenizer_.get(), tokens.data(), tokens.size(), out);
    });
    return is_utf8(text) ? text : to_utf8(from_utf8(text));
}

std::string LlmBundle::render(const Json& messages) const {
    if (value_or<std::string>(opened.contract(), "chat_template_sha256", "").empty()) {
        throw Refused("the bundle has no chat template", "give the prompt as plain text (edgekit run --raw)", "usage");
    }
    const std::string text = messages.dump();
    try {
        return genai_.text([&](const char** out) {
            return genai_.api().OgaTokenizerApplyChatTemplate(tokenizer_.get(), nullptr, text.c_str(), nullptr, true,
                                                              out);
        });
    } catch (const EngineError& error) {
        throw Refused("the chat template refuses these messages: " + first_line(error.what(), 200), "", "usage");
    }
}

Generator LlmBundle::start(const Tokens& ids, int64_t new_tokens, const Search& search,
                           const std::optional<std::string>& json_schema) const {
    const GenAiFunctions& api = genai_.api();
    const auto length = static_cast<int64_t>(ids.size());
    const int64_t begin = (length + window - 1) / window * window;  // without room for it the engine aborts
    if (ids.empty()) throw Refused("the prompt is empty", "give a prompt", "usage");
    if (new_tokens < 1) {
        throw Refused("cannot generate " + std::to_string(new_tokens) + " tokens", "ask for at least one", "usage");
    }
    if (begin >= max_length) {
        const std::string padded = begin == length ? "" : " (" + std::to_string(begin) + " in whole windows)";
        throw Refused("the prompt has " + std::to_string(length) + " tokens" + padded + "; the bundle takes " +
                          std::to_string(max_length) + ", the answer included",
                      "shorten the prompt, or build the bundle with a larger max_length", "usage");
    }
    const auto params = genai_.made<OgaGeneratorParams>(
        [&](OgaGeneratorParams** out) { return api.OgaCreateGeneratorParams(model_.get(), out); },
        api.OgaDestroyGeneratorParams);
    Search all = search;
    for (auto& [name, value] : all) {
        if (name == "min_length") value = std::get<double>(value) + static_cast<double>(begin - length);
    }
    all.emplace_back("max_length", static_cast<double>(std::min(max_length, begin + new_tokens)));
    set(genai_, params.get(), all);
    try {
        if (json_schema) {
            genai_.check(api.OgaGeneratorParamsSetGuidance(params.get(), "json_schema", json_schema->c_str(), false));
        }
        return Generator(
            genai_, genai_.made<OgaGenerator>(
                        [&](OgaGenerator** out) { return api.OgaCreateGenerator(model_.get(), params.get(), out); },
                        api.OgaDestroyGenerator));
    } catch (const EngineError& error) {
        if (!json_schema) throw;
        throw Refused("the JSON schema is not accepted: " + first_line(error.what(), 200), "", "usage");
    }
}

Answer LlmBundle::generate(const Question& question, const std::function<void(const std::string&)>& piece) const {
    Generator generator = start(question.ids, question.max_tokens, question.search, question.json_schema);
    Answer answer;
    answer.prompt_tokens = question.ids.size();
    std::optional<Stopwatch> since_first;
    Streamer streamer = this->streamer();
    StopHolder holder(question.stops);
    const auto show = [&](const std::string& text) {
        if (!text.empty()) piece(text);
    };
    generator.append(question.ids);
    while (!generator.done() && answer.reason.empty()) {
        generator.generate();
        const int32_t token = generator.token();
        ++answer.tokens;
        if (!since_first) since_first.emplace();
        if (eos_token_ids_.count(token)) {
            answer.reason = "eos";
        } else {
            show(holder.push(streamer.push(token)));
            if (holder.stopped()) answer.reason = "stop";
        }
    }
    show(holder.push(without_unfinished(streamer.finish())));
    if (holder.stopped()) answer.reason = "stop";
    show(holder.finish());
    if (answer.reason.empty()) {
        answer.reason = static_cast<int64_t>(answer.tokens) >= question.max_tokens ? "length" : "max_length";
    }
    answer.decode_s = since_first ? since_first->seconds() : 0;
    return answer;
}

Logits LlmBundle::logits_in_steps(std::vector<Tokens> parts, size_t keep) const {
    Tokens whole;
    for (const Tokens& part : parts) whole.insert(whole.end(), part.begin(), part.end());
    if (std::any_of(whole.begin(), whole.end(), [&](int32_t id) { return id < 0 || id >= vocab_size_; })) {
        throw Refused("token ids go from 0 to " + std::to_string(vocab_size_ - 1), "", "usage");
    }
    if (window > 1) return logits_of_windows(whole, keep);
    Generator generator = start(whole, 1);
    Logits kept;
    size_t left = whole.size();  // tokens whose rows are still to come
    for (size_t at = 0; at < parts.size(); ++at) {
        generator.append(parts[at]);
        const Logits rows = generator.logits();
        if (rows.rows < parts[at].size()) {
            std::vector<Tokens> single;
            for (int32_t token : parts[at]) single.push_back({token});
            const auto here = parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at));
            parts.insert(here, single.begin(), single.end());
            return logits_in_steps(std::move(parts), keep);
        }
        const size_t skipped = left > keep ? std::min(left - keep, rows.rows) : 0;
        kept.add(rows, skipped, rows.rows);
        left -= parts[at].size();
    }
    return kept;
}

// Whole windows are read, and each token behind them is put in the model's mouth: appended, it would be filled up to a
// window, whose padding later tokens would take for text.
Logits LlmBundle::logits_of_windows(const Tokens& ids, size_t keep) const {
    Generator generator = start(ids, window);
    const auto size = static_cast<size_t>(window);
    const size_t whole = ids.size() / size * size, behind = whole ? whole : ids.size();
    const size_t first = ids.size() - std::min(keep, ids.size());  // of the rows that are kept
    Logits kept;
    for (size_t at = 0; at < behind; at += size) {
        const size_t end = std::min(at + size, behind);
        const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(at);
        generator.append(Tokens(begin, begin + static_cast<std::ptrdiff_t>(end - at)));
        if (first < end) kept.add(generator.logits(), std::max(first, at) - at, end - at);
    }
    for (size_t at = behind; at < ids.size(); ++at) {
        generator.force(ids[at]);
        generator.generate();
        if (first <= at) kept.add(generator.next_logits(), 0, 1);
    }
    return kept;
}

}  // namespace edgekit
