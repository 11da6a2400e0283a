#!/usr/bin/env bash
# Install the programs that `make test-tools` needs, or say the line that does.
set -euo pipefail
declare -A package=([zsh]=zsh [fish]=fish [espeak-ng]=espeak-ng [strace]=strace)

missing=()
for program in "${!package[@]}"; do
    command -v "$program" >/dev/null || missing+=("${package[$program]}")
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
