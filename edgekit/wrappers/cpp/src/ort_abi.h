// The part of ONNX Runtime's C API that the runner calls, so that building it needs no header of ONNX Runtime.
//
// OrtApi is a table of functions. "NEVER remove or rearrange the members in this structure" (the rules above
// ort_api_1_to_N in onnxruntime/core/session/onnxruntime_c_api.cc): a function's place is the same in every later
// version. The number is that place. ort_abi_check.cpp holds places and signatures against the real header (cmake
// -DORT_INCLUDE=...).
#pragma once

#include <cstddef>
#include <cstdint>

#ifndef ORT_API_VERSION  // the real header comes first in ort_abi_check.cpp and has all these

#ifdef _WIN32
#define ORT_API_CALL __stdcall
#define ORTCHAR_T wchar_t
#else
#define ORT_API_CALL
#define ORTCHAR_T char
#endif

struct OrtApi;
struct OrtApiBase {
    const OrtApi*(ORT_API_CALL* GetApi)(uint32_t version);
    const char*(ORT_API_CALL* GetVersionString)();
};
struct OrtAllocator;
struct OrtEnv;
struct OrtMemoryInfo;
struct OrtRunOptions;
struct OrtSession;
struct OrtSessionOptions;
struct OrtStatus;
struct OrtTensorTypeAndShapeInfo;
struct OrtValue;
// The other values: Type::onnx in arrays.h. Without a fixed type none but 0 and 1 could be read from it.
enum ONNXTensorElementDataType : int { ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED };
enum OrtAllocatorType { OrtInvalidAllocator = -1, OrtDeviceAllocator = 0, OrtArenaAllocator = 1 };
enum OrtLoggingLevel { ORT_LOGGING_LEVEL_VERBOSE, ORT_LOGGING_LEVEL_ERROR = 3 };
enum OrtMemType { OrtMemTypeCPUInput = -2, OrtMemTypeDefault = 0 };

#endif

namespace edgekit {

constexpr uint32_t ORT_API = 12;  // ONNX Runtime 1.12 is the first with all of these

// X(place, result, name, arguments)
#define EDGEKIT_ORT_FUNCTIONS(X)                                                                                     \
    X(2, const char*, GetErrorMessage, (const OrtStatus*))                                                           \
    X(3, OrtStatus*, CreateEnv, (OrtLoggingLevel, const char* log_id, OrtEnv**))                                     \
    X(6, OrtStatus*, DisableTelemetryEvents, (const OrtEnv*))                                                        \
    X(7, OrtStatus*, CreateSession, (const OrtEnv*, const ORTCHAR_T* path, const OrtSessionOptions*, OrtSession**))  \
    X(9, OrtStatus*, Run,                                                                                            \
      (OrtSession*, const OrtRunOptions*, const char* const* input_names, const OrtValue* const* inputs,             \
       size_t input_count, const char* const* output_names, size_t output_count, OrtValue** outputs))                \
    X(10, OrtStatus*, CreateSessionOptions, (OrtSessionOptions**))                                                   \
    X(22, OrtStatus*, SetSessionLogSeverityLevel, (OrtSessionOptions*, int level))                                   \
    X(24, OrtStatus*, SetIntraOpNumThreads, (OrtSessionOptions*, int threads))                                       \
    X(49, OrtStatus*, CreateTensorWithDataAsOrtValue,                                                                \
      (const OrtMemoryInfo*, void* data, size_t bytes, const int64_t* shape, size_t dims, ONNXTensorElementDataType, \
       OrtValue**))                                                                                                  \
    X(50, OrtStatus*, IsTensor, (const OrtValue*, int*))                                                             \
    X(51, OrtStatus*, GetTensorMutableData, (OrtValue*, void**))                                                     \
    X(53, OrtStatus*, GetStringTensorDataLength, (const OrtValue*, size_t*))                                         \
    X(54, OrtStatus*, GetStringTensorContent, (const OrtValue*, void*, size_t bytes, size_t* offsets, size_t count)) \
    X(60, OrtStatus*, GetTensorElementType, (const OrtTensorTypeAndShapeInfo*, ONNXTensorElementDataType*))          \
    X(61, OrtStatus*, GetDimensionsCount, (const OrtTensorTypeAndShapeInfo*, size_t*))                               \
    X(62, OrtStatus*, GetDimensions, (const OrtTensorTypeAndShapeInfo*, int64_t*, size_t))                           \
    X(65, OrtStatus*, GetTensorTypeAndShape, (const OrtValue*, OrtTensorTypeAndShapeInfo**))                         \
    X(69, OrtStatus*, CreateCpuMemoryInfo, (OrtAllocatorType, OrtMemType, OrtMemoryInfo**))                          \
    X(93, void, ReleaseStatus, (OrtStatus*))                                                                         \
    X(94, void, ReleaseMemoryInfo, (OrtMemoryInfo*))                                                                 \
    X(95, void, ReleaseSession, (OrtSession*))                                                                       \
    X(96, void, ReleaseValue, (OrtValue*))                                                                           \
    X(99, void, ReleaseTensorTypeAndShapeInfo, (OrtTensorTypeAndShapeInfo*))                                         \
    X(100, void, ReleaseSessionOptions, (OrtSessionOptions*))                                                        \
    X(125, OrtStatus*, GetAvailableProviders, (char***, int*))                                                       \
    X(126, OrtStatus*, ReleaseAvailableProviders, (char**, int))                                                     \
    X(216, OrtStatus*, SessionOptionsAppendExecutionProvider,                                                        \
      (OrtSessionOptions*, const char* name, const char* const* keys, const char* const* values, size_t count))

struct OrtFunctions {
#define EDGEKIT_MEMBER(place, result, name, arguments) result(ORT_API_CALL* name) arguments = nullptr;
    EDGEKIT_ORT_FUNCTIONS(EDGEKIT_MEMBER)
#undef EDGEKIT_MEMBER
};

}  // namespace edgekit
