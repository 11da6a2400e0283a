#include "llm.h"

#include <algorithm>

#include "chat.h"
#include "functions.h"
#include "manifest.h"
#include "refused.h"
#include "strict.h"
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

int64_t budget_of(const Json& answers, int64_t max_length) {
    constexpr int64_t UNSAID = 256;  // of a model that does not think
    const Json sampling = value_or(answers, "sampling", Json::object());
    return value_or(sampling, "max_new_tokens", has(answers, "thinking") ? max_length : UNSAID);
}

std::map<int32_t, std::string> marks_of(const Json& answers) {
    std::map<int32_t, std::string> found;
    for (const auto& [mark, token] : value_or(answers, "marks", std::map<std::string, int32_t>())) found[token] = mark;
    return found;
}

// As the Python runtime does.
void speculate(const GenAi& genai, OgaGeneratorParams* params) {
    genai.check(genai.api().OgaGeneratorParamsSetSpeculativeNumber(params, "ngram_size", 3));
    genai.check(genai.api().OgaGeneratorParamsSetSpeculativeNumber(params, "max_draft_tokens", 8));
}

void set(const GenAi& genai, OgaGeneratorParams* params, const Search& search) {
    for (const auto& [name, value] : search) {
        if (name == ADAPTER || name == SPECULATE) continue;
        const bool* yes = std::get_if<bool>(&value);
        genai.check(yes ? genai.api().OgaGeneratorParamsSetSearchBool(params, name.c_str(), *yes)
                        : genai.api().OgaGeneratorParamsSetSearchNumber(params, name.c_str(), std::get<double>(value)));
    }
}

}  // namespace

int64_t window_of(const std::filesystem::path& model) try {
    const Json found = parse_json(read_bytes(model / "genai_config.json"), true);
    if (!found.is_object()) return 1;
    const Json decoder = found.value("/model/decoder"_json_pointer, Json::object());
    if (!decoder.contains("pipeline")) return 1;
    return std::max<int64_t>(1, decoder.value("/sliding_window/window_size"_json_pointer, int64_t{1}));
} catch (const Json::exception&) {
    return 1;  // a value of another type
}

LlmBundle::LlmBundle(Opened found, Engines& engines)
    : opened(std::move(found)),
      max_length(opened.contract().at("max_length").get<int64_t>()),
      window(window_of(opened.model())),
      answers(value_or(opened.contract(), "answers", Json::object())),
      calls(value_or<std::string>(answers, "calls", "")),
      special(value_or(answers, "special", std::vector<std::string>())),
      budget(budget_of(answers, max_length)),
      marks(marks_of(answers)),
      reread_beyond(optional<int64_t>(opened.contract(), "reread_beyond")),
      adapters(value_or(opened.contract(), "adapters", std::vector<std::string>())),
      genai_(engines.genai()),
      vocab_size_(opened.contract().at("vocab_size").get<int64_t>()),
      prefix_(value_or(opened.contract(), "prefix_token_ids", Tokens())),
      model_(open_model(opened, genai_)),
      tokenizer_(open_tokenizer(model_.get(), genai_)),
      eos_token_ids(with_end_of_turn(opened.contract().at("eos_token_ids").get<std::set<int64_t>>())) {}

// The control token that stands behind what an assistant says, if the template has one there.
std::set<int64_t> LlmBundle::with_end_of_turn(std::set<int64_t> ends) const {
    if (value_or<std::string>(opened.contract(), "chat_template_sha256", "").empty()) return ends;
    const std::string said = "edgekit";
    const Json turns = {{{"role", "user"}, {"content", "a"}}, {{"role", "assistant"}, {"content", said}}};
    const std::string messages = turns.dump();
    std::string text;
    try {
        text = genai_.text([&](const char** out) {
            return genai_.api().OgaTokenizerApplyChatTemplate(tokenizer_.get(), nullptr, messages.c_str(), nullptr,
                                                              false, out);
        });
    } catch (const EngineError&) {  // a template that refuses these messages
        return ends;
    }
    const size_t at = text.rfind(said);
    if (at == std::string::npos) return ends;
    const std::string behind = trimmed(text.substr(at + said.size()));
    const size_t end = behind.find_first_of("<> \t\r\n\v\f", 1);
    if (end == std::string::npos || behind[0] != '<' || behind[end] != '>') return ends;
    const Tokens ids = encode(behind.substr(0, end + 1), true);
    if (ids.size() == 1) ends.insert(ids.front());
    return ends;
}

Tokens LlmBundle::encode(const std::string& text, bool rendered) const {
    const GenAiFunctions& api = genai_.api();
    const auto sequences = genai_.made<OgaSequences>(api.OgaCreateSequences, api.OgaDestroySequences);
    genai_.check(api.OgaTokenizerEncode(tokenizer_.get(), text.c_str(), sequences.get()));
    const int32_t* begin = api.OgaSequencesGetSequenceData(sequences.get(), 0);
    Tokens ids(begin, begin + api.OgaSequencesGetSequenceCount(sequences.get(), 0));
    if (std::any_of(ids.begin(), ids.end(), [&](int32_t id) { return id < 0 || id >= vocab_size_; })) {
        throw Refused("the bundle's tokenizer has no token for a part of this text", "build the bundle again");
    }
    const bool begun = ids.size() >= prefix_.size() && std::equal(prefix_.begin(), prefix_.end(), ids.begin());
    if (!rendered && !begun) ids.insert(ids.begin(), prefix_.begin(), prefix_.end());
    return ids;
}

std::string LlmBundle::decode(const Tokens& tokens) const {
    return whole_text([this](const Tokens& some, std::string& text) { engine_decode(some, text); }, tokens);
}

Streamer LlmBundle::streamer() const {
    return Streamer([this](const Tokens& tokens, std::string& text) { engine_decode(tokens, text); });
}

void LlmBundle::engine_decode(const Tokens& tokens, std::string& text) const {
    const auto give = [&](const char** out) {
        return genai_.api().OgaTokenizerDecode(tokenizer_.get(), tokens.data(), tokens.size(), out);
    };
    genai_.text(give, text);
    if (!is_utf8(text)) text = to_utf8(from_utf8(text));
}

std::string LlmBundle::render(const Ordered& messages, const Ordered& tools, bool think) const {
    if (value_or<std::string>(opened.contract(), "chat_template_sha256", "").empty()) {
        throw Refused("the bundle has no chat template", "give the prompt as plain text (edgekit run --raw)", "usage");
    }
    const auto off = optional<std::string>(value_or(answers, "thinking", Json::object()), "switch");
    if (!think && !off) {
        throw Refused("the chat template has no way to leave out thoughts", "let it think", "usage");
    }
    const std::string own = template_of(opened.model()).value_or("");
    Ordered asked = messages;
    if (!calls.empty() && own.find("tool_calls") == std::string::npos) {
        for (Ordered& message : asked) message = told(message, calls);
    }
    const Form form = form_of(own, asked, tools, think ? std::nullopt : off);
    try {
        const std::string text = genai_.text([&](const char** out) {
            const char* other = form.chat_template ? form.chat_template->c_str() : nullptr;
            return genai_.api().OgaTokenizerApplyChatTemplate(tokenizer_.get(), other, form.messages.c_str(), nullptr,
                                                              true, out);
        });
        return mended(text, own, tools);
    } catch (const EngineError& error) {
        throw Refused("the chat template refuses these messages: " + first_line(error.what(), 200), "", "usage");
    }
}

int64_t LlmBundle::filled(int64_t length) const { return (length + window - 1) / window * window; }

void LlmBundle::require_room(const Tokens& ids, int64_t new_tokens) const {
    const int64_t length = static_cast<int64_t>(ids.size()), begin = filled(length);
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
}

Generator LlmBundle::start(const Tokens& ids, int64_t new_tokens, const Search& search,
                           const std::optional<Guidance>& guidance) const {
    require_room(ids, new_tokens);
    const GenAiFunctions& api = genai_.api();
    const int64_t length = static_cast<int64_t>(ids.size()), begin = filled(length);
    const auto params = genai_.made<OgaGeneratorParams>(
        [&](OgaGeneratorParams** out) { return api.OgaCreateGeneratorParams(model_.get(), out); },
        api.OgaDestroyGeneratorParams);
    Search all = search;
    std::string adapter;
    for (auto& [name, value] : all) {
        // Of more than there are the engine aborts.
        if (name == ADAPTER) adapter = std::get<std::string>(value);
        if (name == SPECULATE) speculate(genai_, params.get());
        if (name == "top_k") value = std::min(std::get<double>(value), static_cast<double>(vocab_size_));
        if (name == "min_length") value = std::get<double>(value) + static_cast<double>(begin - length);
    }
    all.emplace_back("max_length", static_cast<double>(std::min(max_length, begin + new_tokens)));
    set(genai_, params.get(), all);
    try {
        if (guidance) {
            genai_.check(api.OgaGeneratorParamsSetGuidance(params.get(), guidance->kind.c_str(), guidance->data.c_str(),
                                                           false));
        }
        auto generator = genai_.made<OgaGenerator>(
            [&](OgaGenerator** out) { return api.OgaCreateGenerator(model_.get(), params.get(), out); },
            api.OgaDestroyGenerator);
        if (!adapter.empty()) put_on(generator.get(), adapter);
        return Generator(genai_, std::move(generator));
    } catch (const EngineError& error) {
        if (!guidance) throw;
        throw Refused("the JSON schema is not accepted: " + first_line(error.what(), 200), "", "usage");
    }
}

void LlmBundle::require_adapter(const std::string& name) const {
    if (std::find(adapters.begin(), adapters.end(), name) != adapters.end()) return;
    std::string known;
    for (const std::string& each : adapters) known += (known.empty() ? "one of: " : ", ") + each;
    throw Refused("the bundle has no adapter '" + name + "'",
                  known.empty() ? "build it with --adapter NAME=FOLDER" : known, "usage");
}

void LlmBundle::require_speculation(const std::string& way, const Tokens& ids, int64_t new_tokens,
                                    bool within_reach) const {
    if (way != "ngram") throw Refused("there is no speculation " + quoted(way), "speculate by 'ngram'", "usage");
    if (!genai_.api().OgaGeneratorParamsSetSpeculativeNumber) {
        throw Refused("this onnxruntime-genai cannot speculate: it came with 0.16",
                      "take a later engine, or leave speculation out; what is built for an earlier one runs on it",
                      "tool-missing", "onnxruntime_genai");
    }
    const int64_t longest = std::min(static_cast<int64_t>(ids.size()) + new_tokens, max_length);
    std::string why;
    if (window > 1) {
        why = "its graphs take a fixed number of tokens";
    } else if (within_reach) {
        why = "min_p chooses among every token's logits";
    } else if (crosses(ids.size(), static_cast<size_t>(longest))) {
        why = "its text is read anew where it grows past " + std::to_string(*reread_beyond) + " tokens";
    }
    if (!why.empty()) throw Refused("this answer cannot be speculated: " + why, "leave speculation out", "usage");
}

void LlmBundle::put_on(OgaGenerator* generator, const std::string& adapter) const {
    const GenAiFunctions& api = genai_.api();
    require_adapter(adapter);
    const std::lock_guard lock(wearing_);
    if (!worn_) {
        worn_ = genai_.made<OgaAdapters>([&](OgaAdapters** out) { return api.OgaCreateAdapters(model_.get(), out); },
                                         api.OgaDestroyAdapters);
    }
    if (!loaded_.count(adapter)) {
        const std::string file = inside(opened.model(), "adapters/" + adapter + ".onnx_adapter").u8string();
        genai_.check(api.OgaLoadAdapter(worn_->get(), file.c_str(), adapter.c_str()));
        loaded_.insert(adapter);
    }
    genai_.check(api.OgaSetActiveAdapter(generator, worn_->get(), adapter.c_str()));
}

bool LlmBundle::crosses(size_t before, size_t after) const {
    if (!reread_beyond || window > 1) return false;
    const auto border = static_cast<size_t>(*reread_beyond);
    return before > 0 && before <= border && border < after;
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
        const size_t before = whole.size() - left, after = before + parts[at].size();
        const bool again = crosses(before, after);
        if (again) {
            generator.reread(Tokens(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(after)));
        } else {
            generator.append(parts[at]);
        }
        const Logits read = generator.logits();
        Logits rows;
        if (read.rows) rows.add(read, read.rows - std::min(read.rows, parts[at].size()), read.rows);
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
