#include "host.h"

#include <map>

#include "lasting.h"
#include "words.h"

#ifdef __APPLE__
#include <TargetConditionals.h>
#endif
#ifdef __ANDROID__
#include <sys/system_properties.h>
#endif

namespace edgekit {

std::string host_os() {
#if defined(__ANDROID__)
    return "android";
#elif defined(_WIN32)
    return "windows";
#elif defined(__APPLE__) && TARGET_OS_IPHONE
    return "ios";
#elif defined(__APPLE__)
    return "macos";
#else
    return "linux";
#endif
}

std::string host_abi() {
#if defined(__aarch64__) || defined(_M_ARM64)
    return "aarch64";
#elif defined(__arm__)
    return "armv7";
#else
    return "x86_64";
#endif
}

std::string host_soc() { return android_property("ro.soc.model"); }

std::string abi(const std::string& name) {
    static const auto& same = lasting(std::map<std::string, std::string>{
        {"amd64", "x86_64"}, {"x64", "x86_64"}, {"arm64", "aarch64"}, {"arm64-v8a", "aarch64"}, {"armv8l", "armv7"}});
    const auto found = same.find(lower(name));
    return found == same.end() ? lower(name) : found->second;
}

std::string android_property(const char* name) {
#ifdef __ANDROID__
    char value[PROP_VALUE_MAX];
    const int length = __system_property_get(name, value);
    return std::string(value, length > 0 ? static_cast<size_t>(length) : 0);
#else
    static_cast<void>(name);
    return "";
#endif
}

}  // namespace edgekit
