#include "sha256.h"

#include <array>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "sha256_cpu.h"

namespace edgekit {

const uint32_t SHA256_K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

namespace {

constexpr size_t BLOCK = 64;
constexpr size_t CHUNK = 1 << 20;

uint32_t turn(uint32_t word, int bits) { return (word >> bits) | (word << (32 - bits)); }

void take(uint32_t* state, const uint8_t* block) {
    std::array<uint32_t, 64> w{};
    for (size_t i = 0; i < 16; ++i) {
        w[i] = static_cast<uint32_t>(block[4 * i]) << 24 | static_cast<uint32_t>(block[4 * i + 1]) << 16 |
               static_cast<uint32_t>(block[4 * i + 2]) << 8 | block[4 * i + 3];
    }
    for (size_t i = 16; i < 64; ++i) {
        const uint32_t low = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >> 3);
        const uint32_t high = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16] + low + w[i - 7] + high;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (size_t i = 0; i < 64; ++i) {
        const uint32_t one = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + SHA256_K[i] + w[i];
        const uint32_t two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
    }
    const std::array<uint32_t, 8> added = {a, b, c, d, e, f, g, h};
    for (size_t i = 0; i < 8; ++i) state[i] += added[i];
}

void take_blocks(uint32_t* state, const uint8_t* data, size_t blocks) {
    for (; blocks; --blocks, data += BLOCK) take(state, data);
}

}  // namespace

std::string sha256_of(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream) throw std::runtime_error(path.u8string() + " cannot be opened");
    std::array<uint32_t, 8> state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const Sha256Blocks of_cpu = sha256_of_cpu(), take_all = of_cpu ? of_cpu : take_blocks;
    std::vector<uint8_t> data(CHUNK + 2 * BLOCK);  // room for the padding of the last chunk
    uint64_t total = 0;
    for (bool more = true; more;) {
        stream.read(reinterpret_cast<char*>(data.data()), CHUNK);
        size_t filled = static_cast<size_t>(stream.gcount());
        total += filled;
        more = filled == CHUNK;
        if (!more) {
            data[filled++] = 0x80;
            while (filled % BLOCK != BLOCK - 8) data[filled++] = 0;
            for (int shift = 56; shift >= 0; shift -= 8) data[filled++] = static_cast<uint8_t>(total * 8 >> shift);
        }
        take_all(state.data(), data.data(), filled / BLOCK);
    }
    if (stream.bad()) throw std::runtime_error(path.u8string() + " cannot be read");
    std::string hex;
    for (uint32_t word : state) {
        for (int shift = 28; shift >= 0; shift -= 4) hex += "0123456789abcdef"[(word >> shift) & 0xf];
    }
    return hex;
}

}  // namespace edgekit
