// The core through its C ABI against the tests' own engine: core-test CASE BUNDLE ENGINE. Ends with 0 where all holds.
#include <dirent.h>
#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include "edgekit.h"
#include "engine.h"

namespace {

using Clock = std::chrono::steady_clock;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool SANITIZED = true;
#else
constexpr bool SANITIZED = false;
#endif

std::string bundle_folder, engine_file;
StubEngine* engine = nullptr;

#define CHECK(what)                                                            \
    if (!(what)) {                                                             \
        std::fprintf(stderr, "%s:%d: not %s\n", __FILE__, __LINE__, #what);    \
        std::_Exit(1);                                                         \
    }

StubEngine* engine_in(const std::string& file) {
    void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    CHECK(library);
    return reinterpret_cast<StubEngine* (*)()>(dlsym(library, "stub_engine"))();
}

std::string string_of(edgekit_text text) { return std::string(text.data ? text.data : "", text.size); }

void good(edgekit_error* error) {
    if (!error) return;
    std::fprintf(stderr, "%s\n", string_of(edgekit_error_message(error)).c_str());
    std::_Exit(1);
}

// The code of an error that has to come.
std::string refused(edgekit_error* error) {
    CHECK(error);
    std::string code = string_of(edgekit_error_code(error));
    CHECK(!string_of(edgekit_error_message(error)).empty());
    edgekit_error_free(error);
    return code;
}

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

// A number or a word of a flat document, as it is written.
std::string field(const std::string& json, const std::string& key) {
    const size_t at = json.find("\"" + key + "\":");
    CHECK(at != std::string::npos);
    const size_t begin = at + key.size() + 3;
    return json.substr(begin, json.find_first_of(",}", begin) - begin);
}

edgekit_open_options options_of(const std::string& onnxruntime) {
    edgekit_open_options options{};
    options.size = sizeof options;
    options.piece = 128;
    options.onnxruntime = {onnxruntime.data(), onnxruntime.size()};
    options.genai = {engine_file.data(), engine_file.size()};
    options.genai_version = edgekit_utf8("0.14.1");
    return options;
}

edgekit_error* open(const edgekit_open_options& options, edgekit_bundle** out) {
    return edgekit_open({bundle_folder.data(), bundle_folder.size()}, &options, out);
}

struct Bundle {
    edgekit_bundle* handle = nullptr;
    explicit Bundle(int slots = 1, uint32_t flags = 0) {
        edgekit_open_options options = options_of(engine_file);
        options.slots = slots;
        options.flags = flags;
        good(open(options, &handle));
    }
    explicit Bundle(const std::string& onnxruntime) { good(open(options_of(onnxruntime), &handle)); }
    ~Bundle() { edgekit_close(handle); }
    Bundle(const Bundle&) = delete;
    Bundle& operator=(const Bundle&) = delete;

    std::string facts() const {
        edgekit_document* found = nullptr;
        good(edgekit_facts(handle, &found));
        std::string text = string_of(edgekit_document_text(found));
        edgekit_document_free(found);
        return text;
    }
    int64_t trim(int what) const {
        int64_t freed = -1;
        good(edgekit_trim(handle, what, &freed));
        return freed;
    }
};

std::string request(const std::vector<std::string>& texts, int max_tokens = 1000) {
    std::string messages;
    for (size_t at = 0; at < texts.size(); ++at) {
        messages += std::string(at ? "," : "") + R"({"role":")" + (at % 2 ? "assistant" : "user") + R"(","content":")" +
                    texts[at] + "\"}";
    }
    return R"({"messages":[)" + messages + R"(],"max_tokens":)" + std::to_string(max_tokens) + "}";
}

struct Run {
    edgekit_run* handle = nullptr;
    std::string text, done;
    int pieces = 0, events = 0;

    Run(const Bundle& bundle, const std::string& asked) { good(edgekit_respond(bundle.handle, edgekit_utf8(asked.c_str()), &handle)); }
    ~Run() { edgekit_run_free(handle); }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    // The next event's kind.
    int step() {
        edgekit_event event{};
        event.size = sizeof event;
        good(edgekit_next(handle, &event));
        ++events;
        if (event.kind == EDGEKIT_PROGRESS) ++pieces;
        if (event.kind == EDGEKIT_TEXT) text += string_of(event.text);
        if (event.kind == EDGEKIT_DONE) done = string_of(event.text);
        return event.kind;
    }
    Run& all() {
        while (step() != EDGEKIT_DONE) {
        }
        return *this;
    }
    std::string said(const char* key) const { return field(done, key); }
};

// The answer of a bundle that keeps nothing.
std::string fresh(const std::string& asked) {
    const Bundle bundle(-1);
    Run run(bundle, asked);
    run.all();
    CHECK(run.said("reused") == "0");
    return run.text;
}

const std::string LONG(3000, 'x');

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

void turns() {
    const Bundle bundle;
    CHECK(field(bundle.facts(), "reuse") == "true");
    std::vector<std::string> texts{"Hello there"};
    for (int turn = 0; turn < 5; ++turn) {
        const std::string asked = request(texts);
        const int64_t before = engine->appended;
        Run run(bundle, asked);
        run.all();
        const int64_t read = engine->appended - before, prompt = std::stoll(run.said("prompt_tokens"));
        CHECK(run.said("reason") == "\"eos\"" && run.said("tokens") == "9" && run.text.size() == 8);
        CHECK(read == prompt - std::stoll(run.said("reused")));  // and nothing else
        CHECK(turn == 0 || std::stoll(run.said("reused")) > prompt - 40);
        CHECK(run.text == fresh(asked));
        CHECK(run.step() == EDGEKIT_DONE);  // again
        texts.push_back(run.text);
        texts.push_back("And then?");
    }
    Run edited(bundle, request({"Hello these"}));
    CHECK(edited.all().said("reused") == "9");  // <|user|>Hello the, its last letter read again
    Run limited(bundle, request({"Hello there"}, 3));
    CHECK(limited.all().said("reason") == "\"length\"" && limited.text.size() == 3);
    Run on(bundle, request({"Hello there", limited.text, "Go on"}));
    CHECK(on.all().text == fresh(request({"Hello there", limited.text, "Go on"})));
}

void pieces() {
    const Bundle bundle;
    Run run(bundle, request({LONG}));
    run.all();
    CHECK(run.pieces == 24 && engine->largest_piece == 128);
    CHECK(run.text == fresh(request({LONG})));
}

void conversations() {
    const Bundle two(2), one(1);
    for (const Bundle* bundle : {&two, &one}) {
        int64_t reused = 0;
        std::vector<std::string> first{"The first talk is of ships and seas"}, second{"Another talk of trees"};
        for (int turn = 0; turn < 3; ++turn) {
            for (auto* texts : {&first, &second}) {
                Run run(*bundle, request(*texts));
                reused += std::stoll(run.all().said("reused"));
                CHECK(run.text == fresh(request(*texts)));
                texts->insert(texts->end(), {run.text, "More"});
            }
        }
        CHECK(bundle == &two ? reused > 150 : reused < 20);
        CHECK(engine->generators == (bundle == &two ? 2 : 3));
    }
}

void cancel_in_prompt() {
    const Bundle bundle;
    engine->append_us = 2000;  // 6 s for the prompt
    for (int at = 0; at < 3; ++at) {
        Run run(bundle, request({LONG + std::to_string(at)}));
        sleep_ms(50);
        const auto asked = Clock::now();
        std::thread([&run] { edgekit_cancel(run.handle); }).join();
        run.all();
        CHECK(seconds_since(asked) < 0.25);
        CHECK(run.said("reason") == "\"cancelled\"" && run.said("tokens") == "0" && run.text.empty());
    }
    CHECK(engine->generated == 0);
    engine->append_us = 0;
    Run next(bundle, request({LONG}));
    CHECK(next.all().text == fresh(request({LONG})));
}

// What was read before a place to stop is not read again.
void cancel_between_pieces() {
    const Bundle bundle;
    Run run(bundle, request({LONG}));
    engine->append_us = 100;
    while (run.pieces < 3) run.step();
    edgekit_cancel(run.handle);
    run.all();
    CHECK(run.said("reason") == "\"cancelled\"");
    engine->append_us = 0;
    Run next(bundle, request({LONG}));
    CHECK(next.all().text == fresh(request({LONG})));
}

void cancel_in_answer() {
    const Bundle bundle;
    engine->answer_tokens = 500;
    engine->token_us = 2000;
    Run run(bundle, request({"Hello"}));
    while (run.text.size() < 3) run.step();
    std::thread([&run] { edgekit_cancel(run.handle); }).join();
    const int64_t before = engine->generated;
    const auto asked = Clock::now();
    run.all();
    CHECK(seconds_since(asked) < 0.25);
    sleep_ms(20);
    CHECK(engine->generated <= before + 1);
    CHECK(run.said("reason") == "\"cancelled\"" && std::stoll(run.said("tokens")) == engine->generated);
    engine->token_us = 0;
    engine->answer_tokens = 8;
    const std::string asked_next = request({"Hello", run.text, "Again"});
    Run next(bundle, asked_next);
    CHECK(next.all().text == fresh(asked_next) && next.said("reused") != "0");
}

void slow_reader() {
    const Bundle bundle;
    engine->answer_tokens = 500;
    Run run(bundle, request({"Hello"}));
    size_t read = 0;
    while (run.step() != EDGEKIT_DONE) {
        if (++read <= 20) sleep_ms(50);
        CHECK(engine->generated <= static_cast<int64_t>(read) + 64 + 2);
    }
    CHECK(run.text.size() == 500 && run.text == fresh(request({"Hello"})));
}

size_t entries(const char* folder) {
    size_t count = 0;
    DIR* open = opendir(folder);
    while (readdir(open)) ++count;
    closedir(open);
    return count;
}

int64_t anonymous_kb() {
    std::ifstream stream("/proc/self/status");
    std::string word;
    int64_t found = 0;
    while (stream >> word) {
        if (word == "RssAnon:") stream >> found;
    }
    return found;
}

void cycles() {
    const int count = SANITIZED ? 40 : 200;
    size_t files = 0, threads = 0;
    int64_t middle = 0;
    for (int at = 0; at < count; ++at) {
        {
            const Bundle bundle;
            Run run(bundle, request({"Hello"}));
            if (at % 2) run.all();  // the others are left in the middle
        }
        if (at == 1) {
            files = entries("/proc/self/fd");
            threads = entries("/proc/self/task");
        }
        if (at == count / 2 - 1) middle = anonymous_kb();
    }
    CHECK(entries("/proc/self/fd") == files && entries("/proc/self/task") == threads);
    CHECK(!engine->models && !engine->tokenizers && !engine->generators && !engine->others);
    CHECK(SANITIZED || anonymous_kb() - middle < 2048);  // sanitizers keep what is freed
}

void trim() {
    const Bundle bundle(1, EDGEKIT_LAZY);
    CHECK(engine->models == 0);
    const int64_t cache = std::stoll(field(bundle.facts(), "cache_bytes"));
    CHECK(cache > 0 && bundle.trim(EDGEKIT_CACHES) == 0);
    const std::string asked = request({"Hello"}), text = fresh(asked);
    for (const int what : {EDGEKIT_CACHES, EDGEKIT_WEIGHTS, EDGEKIT_CACHES}) {
        Run run(bundle, asked);
        run.all();
        CHECK(run.text == text && run.said("reused") == "0" && engine->generators == 1 && engine->models == 1);
        CHECK(what == EDGEKIT_CACHES ? bundle.trim(what) == cache : bundle.trim(what) > cache);
        CHECK(engine->generators == 0 && engine->models == (what == EDGEKIT_CACHES ? 1 : 0));
        if (what == EDGEKIT_WEIGHTS) CHECK(engine->tokenizers == 0);
    }
    Run last(bundle, asked);
    CHECK(last.all().said("loaded") == "false");
    CHECK(bundle.trim(EDGEKIT_WEIGHTS) > cache);
    Run again(bundle, asked);
    CHECK(again.all().said("loaded") == "true" && again.text == text);

    engine->answer_tokens = 500;  // what an answer uses goes when it has ended
    Run running(bundle, asked);
    running.step();
    CHECK(bundle.trim(EDGEKIT_WEIGHTS) == 0 && engine->models == 1);
    running.all();
    CHECK(running.said("reason") == "\"eos\"");
    for (int at = 0; at < 200 && engine->models; ++at) sleep_ms(5);
    CHECK(engine->models == 0 && engine->generators == 0);
}

// The caches and the model are in the worker's heap; what is freed there goes back to the system, too.
void trim_gives_back() {
    engine->cache_mb = 96;
    engine->weights_mb = 96;
    const Bundle bundle(1, EDGEKIT_LAZY);
    for (const int what : {EDGEKIT_CACHES, EDGEKIT_CACHES, EDGEKIT_WEIGHTS, EDGEKIT_CACHES, EDGEKIT_CACHES}) {
        Run run(bundle, request({"Hello"}));
        run.all();
        const int64_t before = anonymous_kb();
        bundle.trim(what);
        const int64_t least = (what == EDGEKIT_CACHES ? 96 : 192) * 1024 * 9 / 10;
        CHECK(SANITIZED || before - anonymous_kb() >= least);  // sanitizers keep what is freed
    }
}

void no_rewind() {
    const Bundle bundle;
    engine->refuses_rewind = true;
    Run first(bundle, request({"Hello"}));
    const std::string asked = request({"Hello", first.all().text, "Again"});
    for (int at = 0; at < 2; ++at) {
        Run run(bundle, asked);
        CHECK(run.all().said("reused") == "0" && run.text == fresh(asked));
    }
    CHECK(field(bundle.facts(), "reuse") == "false" && engine->generators == 0);
}

void no_continuation() {
    const Bundle bundle;
    engine->refuses_to_go_on = true;
    for (int at = 0; at < 2; ++at) {
        engine->largest_piece = 0;
        Run run(bundle, request({LONG}));
        CHECK(run.all().said("reused") == "0" && engine->largest_piece > 3000 && run.text.size() == 8);
    }
    CHECK(field(bundle.facts(), "cancel_in_prompt") == "false");
    const Bundle other;
    engine->refuses_to_go_on = false;
    Run run(other, request({LONG}));
    Run refusing(bundle, request({LONG}));
    CHECK(run.all().text == refusing.all().text);
}

void faults() {
    const Bundle bundle;
    engine->fails_after = 3;
    Run run(bundle, request({"Hello"}));
    edgekit_event event{};
    event.size = sizeof event;
    edgekit_error* error = nullptr;
    while (!(error = edgekit_next(run.handle, &event)) && event.kind != EDGEKIT_DONE) {
    }
    CHECK(refused(error) == "internal");
    CHECK(refused(edgekit_next(run.handle, &event)) == "internal");
    Run next(bundle, request({"Hello"}));
    CHECK(next.all().text == fresh(request({"Hello"})));

    edgekit_run* none = nullptr;
    const auto code = [&](const char* asked) { return refused(edgekit_respond(bundle.handle, edgekit_utf8(asked), &none)); };
    CHECK(code("{") == "usage" && code("[]") == "usage" && code("{}") == "usage" && !none);
    CHECK(code(R"({"prompt":"a","temprature":1})") == "usage");
    CHECK(refused(edgekit_respond(bundle.handle, edgekit_utf8("{}"), nullptr)) == "usage");
    for (const std::string& asked : {request({std::string(5000, 'x')}), request({"a"}, 0), std::string(R"({"prompt":""})"),
                                     std::string(R"({"prompt":"a","max_tokens":"ten"})")}) {
        Run wrong(bundle, asked);
        CHECK(refused(edgekit_next(wrong.handle, &event)) == "usage");
    }
    CHECK(refused(edgekit_trim(bundle.handle, 7, nullptr)) == "usage");
    edgekit_values* values = nullptr;
    CHECK(refused(edgekit_infer(bundle.handle, nullptr, 0, nullptr, 0, &values)) == "usage");
    edgekit_bundle* nobody = nullptr;
    CHECK(refused(edgekit_open(edgekit_utf8("/nowhere"), nullptr, &nobody)) == "bundle" && !nobody);
}

void many_threads() {
    const Bundle bundle(2);
    std::vector<std::thread> threads;
    for (int at = 0; at < 4; ++at) {
        threads.emplace_back([&bundle, at] {
            for (int turn = 0; turn < 10; ++turn) {
                Run run(bundle, request({"Talk " + std::to_string(at)}));
                if (turn % 3 == at % 3) edgekit_cancel(run.handle);
                run.all();
                bundle.facts();
                if (turn % 4 == 0) bundle.trim(turn % 8 ? EDGEKIT_CACHES : EDGEKIT_WEIGHTS);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    Run last(bundle, request({"Talk"}));
    CHECK(last.all().text == fresh(request({"Talk"})));
}

void close_in_answer() {
    engine->answer_tokens = 5000;
    engine->token_us = 1000;
    auto* bundle = new Bundle;
    Run first(*bundle, request({"Hello"})), second(*bundle, request({"Hello"}));
    first.step();
    std::thread reader([&first] { first.all(); });
    sleep_ms(20);
    delete bundle;
    reader.join();
    CHECK(first.said("reason") == "\"cancelled\"" && second.all().said("reason") == "\"cancelled\"");
    CHECK(!engine->models && !engine->generators);
}

// The process ends in the middle of an answer, with all of it open.
void exit_in_answer() {
    engine->answer_tokens = 5000;
    engine->token_us = 1000;
    static auto* const bundle = new Bundle;
    static auto* const run = new Run(*bundle, request({"Hello"}));
    run->step();
    std::exit(0);
}

void preflight() {
    const Bundle bundle(1, EDGEKIT_LAZY);
    edgekit_document* found = nullptr;
    const auto ask = [&](const std::string& asked) {
        good(edgekit_preflight(bundle.handle, edgekit_utf8(asked.c_str()), &found));
        std::string text = string_of(edgekit_document_text(found));
        edgekit_document_free(found);
        return text;
    };
    const std::string small = ask(R"({"tokens":10,"max_tokens":5})");
    CHECK(field(small, "fits") == "true" && field(small, "kv") == field(bundle.facts(), "cache_bytes"));
    CHECK(std::stoll(field(small, "anon")) > std::stoll(field(small, "kv")) && std::stoll(field(small, "mapped")) > 0);
    CHECK(field(ask(R"({"tokens":9999})"), "fits") == "false" && engine->models == 0);
    CHECK(field(ask(R"({"messages":[{"role":"user","content":"Hello"}]})"), "tokens") == "8" && engine->models == 1);
    Run run(bundle, request({"Hello"}));
    run.all();
    CHECK(field(ask(R"({"tokens":10})"), "kv") == "0" && field(ask(R"({"tokens":10})"), "mapped") == "0");
}

// GenAI brings an ONNX Runtime of its own: that one runs the model, whatever else is there.
void engines() {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("core-test-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
    const std::string other = folder / "libonnxruntime.so";
    std::filesystem::copy_file(engine_file, other);
    StubEngine* const beside = engine_in(other);
    std::filesystem::remove_all(folder);
    beside->onnxruntime = "1.0.0";
    engine->onnxruntime = "1.31.2";
    {
        const Bundle bundle(other);
        Run run(bundle, request({"Hello"}));
        CHECK(run.all().said("tokens") == "9");
        const std::string found = bundle.facts();
        CHECK(found.find(R"("onnxruntime":{"file":")" + engine_file + R"(","version":"1.31.2"})") != std::string::npos);
        CHECK(found.find(R"("other_onnxruntimes":[")" + other + R"("])") != std::string::npos);
    }
    beside->onnxruntime = "1.31.2";
    engine->onnxruntime = "1.0.0";
    edgekit_bundle* none = nullptr;
    edgekit_error* error = open(options_of(other), &none);
    CHECK(error && string_of(edgekit_error_axis(error)) == "min_onnxruntime" && refused(error) == "bundle");
}

const std::map<std::string, std::function<void()>> CASES{{"turns", turns},
                                                         {"pieces", pieces},
                                                         {"conversations", conversations},
                                                         {"cancel_in_prompt", cancel_in_prompt},
                                                         {"cancel_between_pieces", cancel_between_pieces},
                                                         {"cancel_in_answer", cancel_in_answer},
                                                         {"slow_reader", slow_reader},
                                                         {"cycles", cycles},
                                                         {"trim", trim},
                                                         {"trim_gives_back", trim_gives_back},
                                                         {"no_rewind", no_rewind},
                                                         {"no_continuation", no_continuation},
                                                         {"faults", faults},
                                                         {"many_threads", many_threads},
                                                         {"close_in_answer", close_in_answer},
                                                         {"exit_in_answer", exit_in_answer},
                                                         {"preflight", preflight},
                                                         {"engines", engines}};

}  // namespace

int main(int count, char** words) {
    if (count == 1) {
        for (const auto& [name, run] : CASES) std::printf("%s\n", name.c_str());
        return 0;
    }
    const auto found = CASES.find(words[1]);
    if (count != 4 || found == CASES.end()) return 2;
    bundle_folder = words[2];
    engine_file = words[3];
    engine = engine_in(engine_file);
    found->second();
#ifdef __SANITIZE_ADDRESS__
    __lsan_do_leak_check();
#endif
    return 0;
}
