#!/usr/bin/env bash
# What a bare Debian machine lacks for `make env`, then `make env`.
set -euo pipefail
if ! command -v make >/dev/null || ! "${PYTHON:-python3}" -c "import ensurepip" 2>/dev/null; then
    line="apt-get install --no-install-recommends -y make python3-venv"
    if [ "$(id -u)" -ne 0 ]; then
        echo "this machine lacks make or Python's venv, and this is not root: $line" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $line
fi
make env
