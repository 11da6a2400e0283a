#include "ort.h"

#include <cstring>

#include "refused.h"

namespace fs = std::filesystem;

namespace edgekit {
namespace {

// The word that SessionOptionsAppendExecutionProvider takes: "QNN" for QNNExecutionProvider.
std::string short_name(const std::string& provider) {
    const std::string name = provider.substr(0, provider.rfind("ExecutionProvider"));
    return name == "Xnnpack" ? "XNNPACK" : name == "Dml" ? "DML" : name;
}

struct Options {
    const Ort& ort;
    OrtSessionOptions* options = nullptr;

    explicit Options(const Ort& owner) : ort(owner) { ort.check(ort.api().CreateSessionOptions(&options)); }
    ~Options() { ort.api().ReleaseSessionOptions(options); }
    Options(const Options&) = delete;
    Options& operator=(const Options&) = delete;
};

struct Info {
    const Ort& ort;
    OrtTensorTypeAndShapeInfo* info = nullptr;

    Info(const Ort& owner, const OrtValue* value) : ort(owner) {
        ort.check(ort.api().GetTensorTypeAndShape(value, &info));
    }
    ~Info() { ort.api().ReleaseTensorTypeAndShapeInfo(info); }
    Info(const Info&) = delete;
    Info& operator=(const Info&) = delete;
};

std::vector<std::string> texts(const Ort& ort, const OrtValue* value, size_t count) {
    size_t bytes = 0;
    ort.check(ort.api().GetStringTensorDataLength(value, &bytes));
    std::string all(bytes, '\0');
    std::vector<size_t> offsets(count);
    ort.check(ort.api().GetStringTensorContent(value, all.data(), bytes, offsets.data(), count));
    std::vector<std::string> found;
    for (size_t at = 0; at < count; ++at) {
        const size_t end = at + 1 < count ? offsets[at + 1] : bytes;
        found.push_back(all.substr(offsets[at], end - offsets[at]));
    }
    return found;
}

}  // namespace

Ort::Ort(Library library) : library_(library) {
    const auto get_base = library_.find<const OrtApiBase*(ORT_API_CALL*)()>("OrtGetApiBase");
    if (!get_base) throw std::runtime_error("it has no OrtGetApiBase");
    const OrtApiBase* base = get_base();
    version_ = base->GetVersionString();
    const OrtApi* table = base->GetApi(ORT_API);
    if (!table) throw std::runtime_error("ONNX Runtime " + version_ + " is older than 1.12");
    const auto* places = reinterpret_cast<const char*>(table);
#define EDGEKIT_LOAD(place, result, name, arguments) \
    std::memcpy(&api_.name, places + (place) * sizeof(void*), sizeof(void*));
    EDGEKIT_ORT_FUNCTIONS(EDGEKIT_LOAD)
#undef EDGEKIT_LOAD
    check(api_.CreateEnv(ORT_LOGGING_LEVEL_ERROR, "edgekit", &env_));
    check(api_.DisableTelemetryEvents(env_));  // Windows: the environment is not enough
    check(api_.CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory_));
}

std::vector<std::string> Ort::providers() const {
    char** names = nullptr;
    int count = 0;
    check(api_.GetAvailableProviders(&names, &count));
    std::vector<std::string> found(names, names + count);
    check(api_.ReleaseAvailableProviders(names, count));
    return found;
}

void Ort::check(OrtStatus* status) const {
    if (!status) return;
    const std::string words = api_.GetErrorMessage(status);
    api_.ReleaseStatus(status);
    throw EngineError(words);
}

void Values::clear() {
    for (OrtValue*& value : values_) {
        if (value) ort_.api().ReleaseValue(value);
        value = nullptr;
    }
}

Session::Session(const Ort& ort, const fs::path& model, const std::string& provider,
                 const std::vector<std::pair<std::string, std::string>>& provider_options, int threads)
    : ort_(ort) {
    const OrtFunctions& api = ort.api();
    Options made(ort);
    ort.check(api.SetSessionLogSeverityLevel(made.options, ORT_LOGGING_LEVEL_ERROR));
    if (threads) ort.check(api.SetIntraOpNumThreads(made.options, threads));
    if (provider != "CPUExecutionProvider") {  // which is always there, and always last
        std::vector<const char*> keys, values;
        for (const auto& [key, value] : provider_options) {
            keys.push_back(key.c_str());
            values.push_back(value.c_str());
        }
        const std::string name = short_name(provider);
        ort.check(api.SessionOptionsAppendExecutionProvider(made.options, name.c_str(), keys.data(), values.data(),
                                                            keys.size()));
    }
    ort.check(api.CreateSession(ort.env(), model.c_str(), made.options, &session_));
}

Session::~Session() { ort_.api().ReleaseSession(session_); }

Session::Call::Call(const Session& session, const Arrays& feed, const std::vector<std::string>& outputs)
    : session_(session), inputs_(session.ort_, feed.size()), outputs_(session.ort_, outputs.size()) {
    const Ort& ort = session.ort_;
    for (const auto& [name, array] : feed) {
        void* data = const_cast<std::byte*>(array.data.data());  // ONNX Runtime does not write to inputs
        const auto type = static_cast<ONNXTensorElementDataType>(array.type->onnx);
        ort.check(ort.api().CreateTensorWithDataAsOrtValue(ort.memory(), data, array.data.size(), array.shape.data(),
                                                           array.shape.size(), type,
                                                           inputs_.data() + input_names_.size()));
        input_names_.push_back(name.c_str());
    }
    for (const std::string& name : outputs) output_names_.push_back(name.c_str());
}

Layout layout_of(const Ort& ort, const OrtValue* value, const std::string& name) {
    const OrtFunctions& api = ort.api();
    int is_tensor = 0;
    if (value) ort.check(api.IsTensor(value, &is_tensor));
    if (!is_tensor) throw Refused("the output '" + name + "' is no tensor", "cut it off the graph", "quality");
    const Info info(ort, value);
    auto code = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    size_t dims = 0;
    ort.check(api.GetTensorElementType(info.info, &code));
    ort.check(api.GetDimensionsCount(info.info, &dims));
    Layout found{type_by_onnx(code), std::vector<int64_t>(dims)};
    if (!found.type) throw Refused("the output '" + name + "' is of a type that the runner cannot read");
    ort.check(api.GetDimensions(info.info, found.shape.data(), dims));
    return found;
}

void Session::run(const std::vector<const char*>& input_names, Values& inputs,
                  const std::vector<const char*>& output_names, Values& outputs) const {
    ort_.check(ort_.api().Run(session_, nullptr, input_names.data(), inputs.data(), input_names.size(),
                              output_names.data(), output_names.size(), outputs.data()));
}

void Session::Call::run() {
    outputs_.clear();
    session_.run(input_names_, inputs_, output_names_, outputs_);
}

Array Session::Call::output(size_t at) const {
    const Ort& ort = session_.ort_;
    const Layout form = layout_of(ort, outputs_[at], output_names_[at]);
    Array array{form.type, form.shape, {}, {}};
    if (array.type->kind == 'U') {
        array.text = texts(ort, outputs_[at], array.size());
        return array;
    }
    void* data = nullptr;
    ort.check(ort.api().GetTensorMutableData(outputs_[at], &data));
    array.data.resize(array.size() * array.type->size);
    if (!array.data.empty()) std::memcpy(array.data.data(), data, array.data.size());
    return array;
}

}  // namespace edgekit
