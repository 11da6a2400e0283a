// JSON, and reading keys that may be absent or null.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

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
