// The part of ONNX Runtime GenAI's C API that the runner calls, found by name in the library when it is loaded.
//
// The names and arguments are those of src/ort_genai_c.h in releases 0.14 to 0.18. A test holds the names against the
// functions that the library exports.
#pragma once

#include <cstddef>
#include <cstdint>

struct OgaAdapters;
struct OgaConfig;
struct OgaGenerator;
struct OgaGeneratorParams;
struct OgaModel;
struct OgaResult;
struct OgaSequences;
struct OgaSpeculativeStats;
struct OgaTensor;
struct OgaTokenizer;

namespace edgekit {

#ifdef _WIN32
#define OGA_API_CALL __stdcall
#else
#define OGA_API_CALL
#endif

// X(result, name, arguments). An OgaResult* is an error, or null; its owner destroys it.
#define EDGEKIT_GENAI_FUNCTIONS(X)                                                                                   \
    X(const char*, OgaResultGetError, (const OgaResult*))                                                            \
    X(void, OgaDestroyResult, (OgaResult*))                                                                          \
    X(void, OgaDestroyString, (const char*))                                                                         \
    X(OgaResult*, OgaCreateConfig, (const char* folder, OgaConfig**))                                                \
    X(OgaResult*, OgaConfigOverlay, (OgaConfig*, const char* json))                                                  \
    X(OgaResult*, OgaConfigClearProviders, (OgaConfig*))                                                             \
    X(void, OgaDestroyConfig, (OgaConfig*))                                                                          \
    X(OgaResult*, OgaCreateModelFromConfig, (const OgaConfig*, OgaModel**))                                          \
    X(void, OgaDestroyModel, (OgaModel*))                                                                            \
    X(OgaResult*, OgaCreateTokenizer, (const OgaModel*, OgaTokenizer**))                                             \
    X(void, OgaDestroyTokenizer, (OgaTokenizer*))                                                                    \
    X(OgaResult*, OgaCreateSequences, (OgaSequences**))                                                              \
    X(void, OgaDestroySequences, (OgaSequences*))                                                                    \
    X(size_t, OgaSequencesGetSequenceCount, (const OgaSequences*, size_t sequence))                                  \
    X(const int32_t*, OgaSequencesGetSequenceData, (const OgaSequences*, size_t sequence))                           \
    X(OgaResult*, OgaTokenizerEncode, (const OgaTokenizer*, const char* text, OgaSequences*))                        \
    X(OgaResult*, OgaTokenizerDecode, (const OgaTokenizer*, const int32_t* tokens, size_t count, const char** text)) \
    X(OgaResult*, OgaTokenizerApplyChatTemplate,                                                                     \
      (const OgaTokenizer*, const char* chat_template, const char* messages, const char* tools, bool answer_begins,  \
       const char** text))                                                                                           \
    X(OgaResult*, OgaCreateGeneratorParams, (const OgaModel*, OgaGeneratorParams**))                                 \
    X(OgaResult*, OgaGeneratorParamsSetSearchNumber, (OgaGeneratorParams*, const char* name, double))                \
    X(OgaResult*, OgaGeneratorParamsSetSearchBool, (OgaGeneratorParams*, const char* name, bool))                    \
    X(OgaResult*, OgaGeneratorParamsSetGuidance,                                                                     \
      (OgaGeneratorParams*, const char* kind, const char* data, bool forward_forced_tokens))                         \
    X(void, OgaDestroyGeneratorParams, (OgaGeneratorParams*))                                                        \
    X(OgaResult*, OgaCreateGenerator, (const OgaModel*, const OgaGeneratorParams*, OgaGenerator**))                  \
    X(OgaResult*, OgaCreateAdapters, (const OgaModel*, OgaAdapters**))                                               \
    X(void, OgaDestroyAdapters, (OgaAdapters*))                                                                      \
    X(OgaResult*, OgaLoadAdapter, (OgaAdapters*, const char* file, const char* name))                                \
    X(OgaResult*, OgaSetActiveAdapter, (OgaGenerator*, OgaAdapters*, const char* name))                              \
    X(bool, OgaGenerator_IsDone, (OgaGenerator*))                                                                    \
    X(OgaResult*, OgaGenerator_SetRuntimeOption, (OgaGenerator*, const char* key, const char* value))                \
    X(OgaResult*, OgaGenerator_AppendTokens, (OgaGenerator*, const int32_t* tokens, size_t count))                   \
    X(OgaResult*, OgaGenerator_RewindTo, (OgaGenerator*, size_t new_length))                                         \
    X(OgaResult*, OgaGenerator_GenerateNextToken, (OgaGenerator*))                                                   \
    X(OgaResult*, OgaGenerator_GetNextTokens, (const OgaGenerator*, const int32_t** tokens, size_t* count))          \
    X(OgaResult*, OgaGenerator_GetOutput, (const OgaGenerator*, const char* name, OgaTensor**))                      \
    X(OgaResult*, OgaGenerator_GetLogits, (OgaGenerator*, OgaTensor**))                                              \
    X(OgaResult*, OgaGenerator_SetLogits, (OgaGenerator*, OgaTensor*))                                               \
    X(void, OgaDestroyGenerator, (OgaGenerator*))                                                                    \
    X(OgaResult*, OgaTensorGetType, (OgaTensor*, int32_t* type))                                                     \
    X(OgaResult*, OgaTensorGetShapeRank, (OgaTensor*, size_t*))                                                      \
    X(OgaResult*, OgaTensorGetShape, (OgaTensor*, int64_t*, size_t))                                                 \
    X(OgaResult*, OgaTensorGetData, (OgaTensor*, void**))                                                            \
    X(void, OgaDestroyTensor, (OgaTensor*))

// Functions that came later and are called where they are.
#define EDGEKIT_GENAI_LATER_FUNCTIONS(X)                                                                   \
    X(void, OgaSetTelemetryEnabled, (bool)) /* 0.15; what follows: 0.16 */                                 \
    X(OgaResult*, OgaGeneratorParamsSetSpeculativeNumber, (OgaGeneratorParams*, const char* name, double)) \
    X(OgaResult*, OgaGenerator_GetSpeculativeStats, (const OgaGenerator*, OgaSpeculativeStats**))          \
    X(OgaResult*, OgaSpeculativeStatsGetCount, (const OgaSpeculativeStats*, const char* name, uint64_t*))  \
    X(void, OgaDestroySpeculativeStats, (OgaSpeculativeStats*))

struct GenAiFunctions {
#define EDGEKIT_MEMBER(result, name, arguments) result(OGA_API_CALL* name) arguments = nullptr;
    EDGEKIT_GENAI_FUNCTIONS(EDGEKIT_MEMBER)
    EDGEKIT_GENAI_LATER_FUNCTIONS(EDGEKIT_MEMBER)
#undef EDGEKIT_MEMBER
};

constexpr int32_t OGA_FLOAT32 = 1, OGA_FLOAT16 = 10, OGA_BFLOAT16 = 16;  // OgaElementType

}  // namespace edgekit
