#include "sha256_cpu.h"

#if defined(EDGEKIT_SANITIZE)  // where the plain way is tested
#elif defined(__x86_64__) || defined(_M_X64)
#define EDGEKIT_SHA_X86
#include <immintrin.h>
#ifdef _MSC_VER
#include <intrin.h>
#define EDGEKIT_WITH_SHA
#else
#include <cpuid.h>
#define EDGEKIT_WITH_SHA __attribute__((target("sha,ssse3,sse4.1")))
#endif
#elif defined(__aarch64__) && defined(__GNUC__) && (defined(__ARM_FEATURE_SHA2) || !defined(__clang__) || __clang_major__ >= 16)
#define EDGEKIT_SHA_ARM
#include <arm_neon.h>
#ifdef __ARM_FEATURE_SHA2  // all that it is compiled for have them, as Apple's
#define EDGEKIT_WITH_SHA
#elif defined(__clang__)
#define EDGEKIT_WITH_SHA __attribute__((target("sha2")))
#else
#define EDGEKIT_WITH_SHA __attribute__((target("+crypto")))
#endif
#ifdef __linux__
#include <sys/auxv.h>
#endif
#endif

namespace edgekit {

#if defined(EDGEKIT_SHA_X86)
namespace {

__m128i at(const void* data) { return _mm_loadu_si128(static_cast<const __m128i*>(data)); }

// The instructions hold the state as its words ABEF and CDGH.
EDGEKIT_WITH_SHA void blocks_of(uint32_t* state, const uint8_t* data, size_t blocks) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const __m128i low = _mm_shuffle_epi32(at(state), 0xB1), high = _mm_shuffle_epi32(at(state + 4), 0x1B);
    __m128i abef = _mm_alignr_epi8(low, high, 8), cdgh = _mm_blend_epi16(high, low, 0xF0);
    for (; blocks; --blocks, data += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i m0 = _mm_shuffle_epi8(at(data), big_endian), m1 = _mm_shuffle_epi8(at(data + 16), big_endian);
        __m128i m2 = _mm_shuffle_epi8(at(data + 32), big_endian), m3 = _mm_shuffle_epi8(at(data + 48), big_endian);
        for (size_t round = 0; round < 64; round += 4) {
            const __m128i words = _mm_add_epi32(m0, at(SHA256_K + round));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, words);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(words, 0x0E));
            const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(m0, m1), _mm_alignr_epi8(m3, m2, 4));
            m0 = m1, m1 = m2, m2 = m3;
            m3 = _mm_sha256msg2_epu32(sum, m2);
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1B), dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(state), _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

// Leaf 7: SHA is bit 29 of EBX; leaf 1: SSSE3 and SSE4.1 are bits 9 and 19 of ECX.
bool is_able() {
#ifdef _MSC_VER
    int first[4] = {}, seventh[4] = {};
    __cpuid(first, 1);
    __cpuidex(seventh, 7, 0);
    const unsigned ecx = static_cast<unsigned>(first[2]), ebx = static_cast<unsigned>(seventh[1]);
#else
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0, unused = 0;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !__get_cpuid_count(7, 0, &eax, &ebx, &unused, &edx)) return false;
#endif
    return ebx >> 29 & 1U && ecx >> 9 & 1U && ecx >> 19 & 1U;
}

}  // namespace

Sha256Blocks sha256_of_cpu() { return is_able() ? blocks_of : nullptr; }

#elif defined(EDGEKIT_SHA_ARM)
namespace {

EDGEKIT_WITH_SHA void blocks_of(uint32_t* state, const uint8_t* data, size_t blocks) {
    uint32x4_t abcd = vld1q_u32(state), efgh = vld1q_u32(state + 4);
    const auto words = [&](size_t at) { return vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(data + at))); };
    for (; blocks; --blocks, data += 64) {
        const uint32x4_t abcd_before = abcd, efgh_before = efgh;
        uint32x4_t m0 = words(0), m1 = words(16), m2 = words(32), m3 = words(48);
        for (size_t round = 0; round < 64; round += 4) {
            const uint32x4_t added = vaddq_u32(m0, vld1q_u32(SHA256_K + round)), before = abcd;
            abcd = vsha256hq_u32(abcd, efgh, added);
            efgh = vsha256h2q_u32(efgh, before, added);
            const uint32x4_t next = vsha256su1q_u32(vsha256su0q_u32(m0, m1), m2, m3);
            m0 = m1, m1 = m2, m2 = m3, m3 = next;
        }
        abcd = vaddq_u32(abcd, abcd_before);
        efgh = vaddq_u32(efgh, efgh_before);
    }
    vst1q_u32(state, abcd);
    vst1q_u32(state + 4, efgh);
}

bool is_able() {
#if defined(__ARM_FEATURE_SHA2)
    return true;
#elif defined(__linux__)
    return getauxval(AT_HWCAP) >> 6 & 1U;  // HWCAP_SHA2
#else
    return false;
#endif
}

}  // namespace

Sha256Blocks sha256_of_cpu() { return is_able() ? blocks_of : nullptr; }

#else

Sha256Blocks sha256_of_cpu() { return nullptr; }

#endif

}  // namespace edgekit
