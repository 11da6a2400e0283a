// JSON, and reading keys that may be absent or null.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>

// Whole numbers: one with a fraction, or outside of the type, is of another type; the library would cast it, which C++
// leaves undefined. What does not fit throws as a wrong type does.
template <typename Whole>
struct nlohmann::adl_serializer<Whole, std::enable_if_t<std::is_integral_v<Whole> && !std::is_same_v<Whole, bool>>> {
    template <typename Value>
    static void to_json(Value& json, Whole number) {
        nlohmann::to_json(json, number);
    }

    template <typename Value>
    static void from_json(const Value& json, Whole& number) {
        nlohmann::from_json(fits(json) ? json : Value(Value::value_t::discarded), number);
    }

  private:
    template <typename Value>
    static bool fits(const Value& json) {
        using Limits = std::numeric_limits<Whole>;
        if (json.is_number_float()) {
            const auto real = json.template get<double>();
            return std::trunc(real) == real && real >= static_cast<double>(Limits::min()) &&
                   real < std::ldexp(1.0, Limits::digits);
        }
        if (!json.is_number_integer()) return true;
        const auto whole = json.template get_ref<const typename Value::number_integer_t&>();
        if (whole < 0 && !json.is_number_unsigned()) {
            return std::is_signed_v<Whole> && whole >= static_cast<int64_t>(Limits::min());
        }
        return static_cast<uint64_t>(whole) <= static_cast<uint64_t>(Limits::max());
    }
};

namespace edgekit {

using Json = nlohmann::json;
using Ordered = nlohmann::ordered_json;  // keeps the order of keys, which a chat template shows

template <typename Object>
bool has(const Object& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && !found->is_null();
}

template <typename T, typename Object>
std::optional<T> optional(const Object& object, const char* key) {
    return has(object, key) ? std::optional<T>(object.at(key).template get<T>()) : std::nullopt;
}

template <typename T, typename Object>
T value_or(const Object& object, const char* key, const T& otherwise) {
    return optional<T>(object, key).value_or(otherwise);
}

template <typename T>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}

}  // namespace edgekit
