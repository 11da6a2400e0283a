// ONNX Runtime, loaded from a file: its version, its execution providers, and sessions.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "arrays.h"
#include "library.h"
#include "ort_abi.h"

namespace edgekit {

class Ort {
  public:
    explicit Ort(Library library);

    std::string version() const { return version_; }
    std::vector<std::string> providers() const;  // "CPUExecutionProvider", ...
    std::string file() const { return library_.file_of("OrtGetApiBase"); }
    const OrtFunctions& api() const { return api_; }
    const OrtEnv* env() const { return env_; }
    const OrtMemoryInfo* memory() const { return memory_; }
    void check(OrtStatus* status) const;  // throws EngineError with ONNX Runtime's words

  private:
    Library library_;
    OrtFunctions api_;
    std::string version_;
    OrtEnv* env_ = nullptr;
    OrtMemoryInfo* memory_ = nullptr;
};

// Values that ONNX Runtime owns or reads; released with this.
class Values {
  public:
    Values(const Ort& ort, size_t count) : ort_(ort), values_(count, nullptr) {}
    ~Values() { clear(); }
    Values(Values&& other) noexcept : ort_(other.ort_), values_(std::exchange(other.values_, {})) {}
    Values(const Values&) = delete;
    Values& operator=(const Values&) = delete;
    Values& operator=(Values&&) = delete;

    OrtValue** data() { return values_.data(); }
    OrtValue* operator[](size_t at) const { return values_[at]; }
    void clear();

  private:
    const Ort& ort_;
    std::vector<OrtValue*> values_;
};

// What a tensor is. Throws Refused where it is none, or of a type that is not read here; name: of the output, for that.
struct Layout {
    const Type* type;
    std::vector<int64_t> shape;
};
Layout layout_of(const Ort& ort, const OrtValue* value, const std::string& name);

// A model that is ready, and one feed at a time that points into the caller's arrays.
class Session {
  public:
    // provider: ONNX Runtime's name ("CPUExecutionProvider"); threads: for one operator, 0 lets the engine choose.
    Session(const Ort& ort, const std::filesystem::path& model, const std::string& provider,
            const std::vector<std::pair<std::string, std::string>>& provider_options, int threads);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Outputs that are there already are written to. Several threads may run it.
    void run(const std::vector<const char*>& input_names, Values& inputs, const std::vector<const char*>& output_names,
             Values& outputs) const;

    // What an app does for each inference, and what is timed: the outputs are made by ONNX Runtime.
    class Call {
      public:
        Call(const Session& session, const Arrays& feed, const std::vector<std::string>& outputs);
        void run();
        Array output(size_t at) const;  // a copy, after run()

      private:
        const Session& session_;
        std::vector<const char*> input_names_, output_names_;
        Values inputs_, outputs_;
    };

  private:
    const Ort& ort_;
    OrtSession* session_ = nullptr;
};

}  // namespace edgekit
