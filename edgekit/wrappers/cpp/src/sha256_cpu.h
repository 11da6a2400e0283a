// SHA-256 by the instructions that a CPU has for it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace edgekit {

extern const uint32_t SHA256_K[64];

// Takes whole blocks of 64 bytes into the state of eight words.
using Sha256Blocks = void (*)(uint32_t* state, const uint8_t* data, size_t blocks);

Sha256Blocks sha256_of_cpu();  // nullptr where this CPU, or the compiler, has no such instructions

}  // namespace edgekit
