// An engine of the tests' own: what it is told to do, and what it counts.
#pragma once

#include <atomic>
#include <cstdint>

struct StubEngine {
    // What it does.
    std::atomic<int> answer_tokens{8};       // then its end token
    std::atomic<int> append_us{0};           // a token of a prompt takes
    std::atomic<int> token_us{0};            // a token of an answer takes
    std::atomic<bool> refuses_rewind{false};
    std::atomic<bool> refuses_to_go_on{false};  // to read behind what it has read
    std::atomic<int> fails_after{-1};           // tokens of an answer; then one call fails
    std::atomic<int> cache_mb{0}, weights_mb{0};     // in blocks, as a real engine's
    std::atomic<const char*> onnxruntime{"1.32.0"};  // the version that it says
    // What it did.
    std::atomic<int64_t> appended{0}, generated{0}, largest_piece{0};
    std::atomic<int64_t> models{0}, tokenizers{0}, generators{0}, others{0};  // alive
};

extern "C" StubEngine* stub_engine();
