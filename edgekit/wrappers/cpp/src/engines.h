// The engines: where the command line says, beside the runner, or linked into it; loaded when they are first needed.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "genai.h"
#include "json.h"
#include "ort.h"

namespace edgekit {

class Engines {
  public:
    // Empty paths: the libraries beside the runner. GenAI does not tell its version: the caller does, or the name of
    // its file (libonnxruntime-genai.so.0.14.1).
    Engines(std::filesystem::path onnxruntime, std::filesystem::path genai, std::string genai_version)
        : onnxruntime_(std::move(onnxruntime)), genai_(std::move(genai)), genai_version_(std::move(genai_version)) {}

    // These throw Refused ("tool-missing") where the library is not there or cannot be loaded.
    const Ort& onnxruntime();                            // of tensors
    const Ort& onnxruntime_of(const std::string& kind);  // what models of a kind run on: "llm" on GenAI's
    const GenAi& genai();

    std::string genai_version() const { return genai_version_; }  // once it is loaded; empty: not told
    // What models of a kind run on, as far as it is loaded, and the runner: {name: version}.
    Json versions(const std::string& kind) const;
    Json places(const std::string& kind) const;  // {name: {version, file}}
    // The files of ONNX Runtimes in this process that models of a kind do not run on.
    Json others(const std::string& kind) const;

  private:
    void place_onnxruntime();
    const Ort* loaded(const std::string& kind) const;

    std::filesystem::path onnxruntime_, genai_;
    std::string genai_version_;
    std::unique_ptr<Ort> loaded_onnxruntime_, genais_onnxruntime_;
    std::unique_ptr<GenAi> loaded_genai_;
};

}  // namespace edgekit
