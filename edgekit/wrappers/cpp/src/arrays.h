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

size_t elements(const std::vector<int64_t>& shape);
std::string shape_words(const std::vector<int64_t>& shape);  // "[1, 3]"

struct Array {
    const Type* type = nullptr;
    std::vector<int64_t> shape;
    std::vector<std::byte> data;    // empty for text
    std::vector<std::string> text;  // UTF-8, one for each element

    size_t size() const { return elements(shape); }
    std::string shape_words() const { return edgekit::shape_words(shape); }
};

using Arrays = std::map<std::string, Array>;

Array text_array(const std::string& text);  // of no dimension
Array int64_array(const std::vector<int64_t>& values);
Array float_array(const std::vector<float>& values);

// Element `at` as a number; for all types but text. Of 64-bit integers a double keeps 53 bits.
double value_at(const Array& array, size_t at);
// All bits of an integer or a bool; those above 2^63 of a uint64 come out negative.
int64_t integer_at(const Array& array, size_t at);
std::vector<int64_t> integers(const Array& array);  // Refused: they are none
std::vector<double> numbers(const Array& array);

float half_to_float(uint16_t bits);      // IEEE 754 binary16
float bfloat16_to_float(uint16_t bits);  // the upper half of a float

}  // namespace edgekit
