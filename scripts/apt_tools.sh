#!/usr/bin/env bash
# Install the programs that `make test-tools` needs, or say the line that does.
set -euo pipefail

# Program (or file) -> the Debian package that has it.
declare -A package=(
    [zsh]=zsh [fish]=fish [strace]=strace                                     # shells; a tracer
    [adb]=adb [mksh]=mksh [toybox]=toybox [/usr/sbin/sshd]=openssh-server     # devices
    [cmake]=cmake [g++]=g++ [aarch64-linux-gnu-g++]=g++-aarch64-linux-gnu     # the runner
    [/usr/include/nlohmann/json.hpp]=nlohmann-json3-dev [npm]=npm [clang-tidy]=clang-tidy
    [debootstrap]=debootstrap [qemu-aarch64-static]=qemu-user-static          # an ARM64 root
    [javac]=openjdk-17-jdk-headless                                           # the Kotlin face
    [patchelf]=patchelf                                                       # the Swift face
    [aapt]=aapt [/usr/share/android-framework-res/framework-res.apk]=android-framework-res # the Android sample
    [chromium]=chromium                                                       # the report, and SwiftShader for WebGPU
)

missing=()
for program in "${!package[@]}"; do
    command -v "$program" >/dev/null || [ -e "$program" ] || missing+=("${package[$program]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

line="apt-get install --no-install-recommends -y ${missing[*]}"
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "+ $line"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    $line
elif [ "${CI:-}" = true ]; then
    echo "programs are missing and this is not root: $line" >&2
    exit 1
else
    echo "tests of missing programs are skipped; to run them: sudo $line"
fi
