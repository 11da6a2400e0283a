// What a function makes on its first call and keeps: never taken down, for a thread may still ask while the process ends.
#pragma once

#include <utility>

namespace edgekit {

template <typename T>
const T& lasting(T made) {
    return *new T(std::move(made));
}

}  // namespace edgekit
