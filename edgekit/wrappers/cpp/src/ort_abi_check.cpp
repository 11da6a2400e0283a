// Compiled only with -DORT_INCLUDE: it fails to compile where ort_abi.h is not what ONNX Runtime's own header says.
#include <onnxruntime_c_api.h>

#include <type_traits>

#include "arrays.h"
#include "ort_abi.h"

namespace edgekit {

#define EDGEKIT_CHECK(place, result, name, arguments)                                             \
    static_assert(offsetof(OrtApi, name) == (place) * sizeof(void*), #name " has another place"); \
    static_assert(std::is_convertible_v<decltype(OrtApi::name), decltype(OrtFunctions::name)>,    \
                  #name " has other arguments");  // convertible, not the same: theirs are noexcept
EDGEKIT_ORT_FUNCTIONS(EDGEKIT_CHECK)

static_assert(ORT_API <= ORT_API_VERSION);
static_assert(offsetof(OrtApiBase, GetApi) == 0 && offsetof(OrtApiBase, GetVersionString) == sizeof(void*));
static_assert(ORT_LOGGING_LEVEL_ERROR == 3 && OrtArenaAllocator == 1 && OrtMemTypeDefault == 0);
static_assert(ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT == 1 && ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 == 2 &&
              ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8 == 3 && ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16 == 4 &&
              ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16 == 5 && ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32 == 6 &&
              ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 == 7 && ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING == 8 &&
              ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL == 9 && ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 == 10 &&
              ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE == 11 && ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32 == 12 &&
              ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64 == 13);

}  // namespace edgekit
