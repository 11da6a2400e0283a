// Arrays as NumPy means them: an element type, a shape, and the values in C order, little endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace edgekit {

struct Type {
    const char* name;  // NumPy's: "float32"
    const char* npy;   // in .npy files: "<f4"
    size_t size;       // bytes
    char kind;         // 'f', 'i', 'u', 'b'; 'U' for text
    int onnx;          // ONNXTensorElementDataType, and OgaElementType: they agree
};

const Type* type_by_name(const std::string& name);  // nullptr for one that is not known
const Type* type_by_npy(const std::string& descr);
const Type* type_by_onnx(int code);

struct Array {
    const Type* type = nullptr;
    std::vector<int64_t> shape;
    std::vector<std::byte> data;    // empty for text
    std::vector<std::string> text;  // UTF-8, one for each element

    size_t size() const;              // elements, by the shape
    std::string shape_words() const;  // "[1, 3]"
};

using Arrays = std::map<std::string, Array>;

Array text_array(const std::string& text);  // of no dimension
Array int64_array(const std::vector<int64_t>& values);
Array float_array(const std::vector<float>& values);

// Element `at` as a number; for all types but text.
double value_at(const Array& array, size_t at);
std::vector<int64_t> integers(const Array& array);
std::vector<double> numbers(const Array& array);

float half_to_float(uint16_t bits);      // IEEE 754 binary16
float bfloat16_to_float(uint16_t bits);  // the upper half of a float

}  // namespace edgekit
