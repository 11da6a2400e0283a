#include "arrays.h"

#include <cmath>
#include <cstring>
#include <stdexcept>

#include "refused.h"
#include "words.h"

namespace edgekit {
namespace {

const Type TYPES[] = {
    {"float32", "<f4", 4, 'f', 1},  {"uint8", "|u1", 1, 'u', 2},    {"int8", "|i1", 1, 'i', 3},
    {"uint16", "<u2", 2, 'u', 4},   {"int16", "<i2", 2, 'i', 5},    {"int32", "<i4", 4, 'i', 6},
    {"int64", "<i8", 8, 'i', 7},    {"str", "<U", 4, 'U', 8},       {"bool", "|b1", 1, 'b', 9},
    {"float16", "<f2", 2, 'f', 10}, {"float64", "<f8", 8, 'f', 11}, {"uint32", "<u4", 4, 'u', 12},
    {"uint64", "<u8", 8, 'u', 13},
};

template <typename T>
T element(const Array& array, size_t at) {
    T value{};
    std::memcpy(&value, array.data.data() + at * sizeof(T), sizeof(T));
    return value;
}

template <typename T>
Array array_of(const char* type, const std::vector<T>& values) {
    Array array{type_by_name(type), {static_cast<int64_t>(values.size())}, {}, {}};
    array.data.resize(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(array.data.data(), values.data(), array.data.size());
    return array;
}

}  // namespace

const Type* type_by_name(const std::string& name) {
    for (const Type& type : TYPES) {
        if (name == type.name) return &type;
    }
    return nullptr;
}

const Type* type_by_npy(const std::string& descr) {
    for (const Type& type : TYPES) {
        if (descr == type.npy || (type.kind == 'U' && descr.compare(0, 2, type.npy) == 0)) return &type;
    }
    return nullptr;
}

const Type* type_by_onnx(int code) {
    for (const Type& type : TYPES) {
        if (code == type.onnx) return &type;
    }
    return nullptr;
}

size_t elements(const std::vector<int64_t>& shape) {
    size_t count = 1;
    for (int64_t dim : shape) count *= static_cast<size_t>(dim);
    return count;
}

std::string shape_words(const std::vector<int64_t>& shape) {
    std::vector<std::string> dims;
    dims.reserve(shape.size());
    for (int64_t dim : shape) dims.push_back(std::to_string(dim));
    return "[" + joined(dims, ", ") + "]";
}

Array text_array(const std::string& text) { return {type_by_name("str"), {}, {}, {text}}; }

Array int64_array(const std::vector<int64_t>& values) { return array_of("int64", values); }

Array float_array(const std::vector<float>& values) { return array_of("float32", values); }

double value_at(const Array& array, size_t at) {
    const char kind = array.type->kind;
    switch (array.type->size) {
        case 1:
            return kind == 'i' ? element<int8_t>(array, at) : element<uint8_t>(array, at);
        case 2:
            if (kind == 'f') return half_to_float(element<uint16_t>(array, at));
            return kind == 'i' ? element<int16_t>(array, at) : element<uint16_t>(array, at);
        case 4:
            if (kind == 'U') throw std::logic_error("text is no number");
            if (kind == 'f') return element<float>(array, at);
            return kind == 'i' ? element<int32_t>(array, at) : element<uint32_t>(array, at);
        default:
            if (kind == 'f') return element<double>(array, at);
            return kind == 'i' ? static_cast<double>(element<int64_t>(array, at))
                               : static_cast<double>(element<uint64_t>(array, at));
    }
}

int64_t integer_at(const Array& array, size_t at) {
    if (array.type->size == 8) return element<int64_t>(array, at);
    return static_cast<int64_t>(value_at(array, at));
}

std::vector<int64_t> integers(const Array& array) {
    if (array.type->kind == 'f' || array.type->kind == 'U') {
        throw Refused("an array of " + std::string(array.type->name) + " lies where integers are expected",
                      "fetch the bundle again");
    }
    std::vector<int64_t> values(array.size());
    for (size_t at = 0; at < values.size(); ++at) values[at] = integer_at(array, at);
    return values;
}

std::vector<double> numbers(const Array& array) {
    std::vector<double> values(array.size());
    for (size_t at = 0; at < values.size(); ++at) values[at] = value_at(array, at);
    return values;
}

float half_to_float(uint16_t bits) {
    const int exponent = (bits >> 10) & 0x1f, mantissa = bits & 0x3ff;
    const float sign = (bits & 0x8000) ? -1.0F : 1.0F;
    if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
    if (exponent == 31) return mantissa ? NAN : sign * INFINITY;
    return sign * std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
}

float bfloat16_to_float(uint16_t bits) {
    const uint32_t whole = static_cast<uint32_t>(bits) << 16;
    float value = 0;
    std::memcpy(&value, &whole, sizeof value);
    return value;
}

}  // namespace edgekit
