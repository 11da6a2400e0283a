// What the runner was built for, in the words of manifests.
#pragma once

#include <string>

namespace edgekit {

std::string host_os();   // "linux", "android", "windows", "macos", "ios"
std::string host_abi();  // "x86_64", "aarch64", "armv7"
std::string host_soc();  // Android: what the maker calls the chip ("SM8650"); empty elsewhere

// One name for one architecture: "arm64-v8a", "arm64" and "aarch64" are "aarch64".
std::string abi(const std::string& name);

// A system property of Android ("ro.product.model"); empty elsewhere.
std::string android_property(const char* name);

}  // namespace edgekit
