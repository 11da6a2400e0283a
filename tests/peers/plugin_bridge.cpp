// ONNX Runtime as a device's builds have it: a provider that PyPI ships as a plugin is built in.
//
// Everything is the real ONNX Runtime's (BRIDGE_ONNXRUNTIME) but three functions: the provider BRIDGE_PROVIDER
// ("QNNExecutionProvider") is among those available, and who appends it by its short name ("QNN"), as the runner and
// GenAI do, gets the plugin BRIDGE_PLUGIN with exactly the options that were given.
#include <dlfcn.h>
#include <onnxruntime_c_api.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

OrtApi ours;
const OrtApi* real;
OrtEnv* environment;

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

OrtStatus* ORT_API_CALL create_env(OrtLoggingLevel level, const char* log_id, OrtEnv** out) noexcept {
    OrtStatus* failed = real->CreateEnv(level, log_id, out);
    if (failed || environment) return failed;
    environment = *out;
    return real->RegisterExecutionProviderLibrary(environment, variable("BRIDGE_PROVIDER").c_str(),
                                                  variable("BRIDGE_PLUGIN").c_str());
}

OrtStatus* ORT_API_CALL available(char*** out, int* count) noexcept {
    char** names = nullptr;
    if (OrtStatus* failed = real->GetAvailableProviders(&names, count)) return failed;
    *out = new char*[static_cast<size_t>(*count) + 1];
    for (int at = 0; at < *count; ++at) (*out)[at] = strdup(names[at]);
    (*out)[(*count)++] = strdup(variable("BRIDGE_PROVIDER").c_str());
    return real->ReleaseAvailableProviders(names, *count - 1);
}

OrtStatus* ORT_API_CALL release_available(char** names, int count) noexcept {
    for (int at = 0; at < count; ++at) std::free(names[at]);
    delete[] names;
    return nullptr;
}

OrtStatus* ORT_API_CALL append(OrtSessionOptions* options, const char* name, const char* const* keys,
                               const char* const* values, size_t count) noexcept {
    const std::string provider = variable("BRIDGE_PROVIDER");
    if (std::string(name) + "ExecutionProvider" != provider) {
        return real->SessionOptionsAppendExecutionProvider(options, name, keys, values, count);
    }
    const OrtEpDevice* const* devices = nullptr;
    size_t found = 0;
    if (OrtStatus* failed = real->GetEpDevices(environment, &devices, &found)) return failed;
    for (size_t at = 0; at < found; ++at) {
        if (real->EpDevice_EpName(devices[at]) != provider) continue;
        return real->SessionOptionsAppendExecutionProvider_V2(options, environment, devices + at, 1, keys, values,
                                                              count);
    }
    return real->CreateStatus(ORT_FAIL, "the plugin finds no device");
}

const OrtApiBase* real_base() {
    static const OrtApiBase* base = [] {
        void* library = dlopen(variable("BRIDGE_ONNXRUNTIME").c_str(), RTLD_NOW | RTLD_LOCAL);
        return reinterpret_cast<const OrtApiBase* (*)()>(dlsym(library, "OrtGetApiBase"))();
    }();
    return base;
}

const OrtApi* ORT_API_CALL get_api(uint32_t version) noexcept {
    if (!real) {
        real = real_base()->GetApi(ORT_API_VERSION);
        std::memcpy(&ours, real, sizeof ours);
        ours.CreateEnv = create_env;
        ours.GetAvailableProviders = available;
        ours.ReleaseAvailableProviders = release_available;
        ours.SessionOptionsAppendExecutionProvider = append;
    }
    return version <= ORT_API_VERSION ? &ours : nullptr;
}

const char* ORT_API_CALL get_version() noexcept { return real_base()->GetVersionString(); }

}  // namespace

extern "C" __attribute__((visibility("default"))) const OrtApiBase* OrtGetApiBase() noexcept {
    static const OrtApiBase base{get_api, get_version};
    return &base;
}
