// One run of a model of tensors on memory of the caller's.
#pragma once

#include <string>
#include <vector>

#include "arrays.h"
#include "ort.h"
#include "upright.h"

namespace edgekit {

// Values in C order that somebody else owns; data is nullptr for an output that the engine makes.
struct View {
    std::string name;
    const Type* type = nullptr;
    std::vector<int64_t> shape = {};
    void* data = nullptr;
    size_t bytes = 0;
    PixelFormat pixels = {};  // of a picture (RGB8)
};

// Runs the session; outputs without data are filled in, and theirs live as long as the result. Throws Refused where
// the caller's memory is not as large as the shape says, EngineError where the model does not take or give it.
Values infer(const Ort& ort, const Session& session, const std::vector<View>& inputs, std::vector<View>& outputs);

}  // namespace edgekit
