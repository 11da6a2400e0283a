// JSON, and reading keys that may be absent or null.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace edgekit {

using Json = nlohmann::json;

inline bool has(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && !found->is_null();
}

template <typename T>
std::optional<T> optional(const Json& object, const char* key) {
    return has(object, key) ? std::optional<T>(object.at(key).get<T>()) : std::nullopt;
}

template <typename T>
T value_or(const Json& object, const char* key, const T& otherwise) {
    return optional<T>(object, key).value_or(otherwise);
}

template <typename T>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}

}  // namespace edgekit
