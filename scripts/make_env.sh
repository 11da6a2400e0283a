#!/usr/bin/env bash
# Make an environment: PYTHON's venv in FOLDER, the tested pins, edgekit from this checkout with EXTRAS.
set -euo pipefail
usage="usage: make_env.sh PYTHON FOLDER EXTRAS"
python=${1:?$usage} folder=${2:?$usage} extras=${3:?$usage}

"$python" - <<'END' || exit 1
import sys
if sys.version_info < (3, 11):
    sys.exit(f"edgekit needs Python 3.11 or later, {sys.executable} is {sys.version.split()[0]}: make PYTHON=... env")
END
if ! "$python" -c "import ensurepip" 2>/dev/null; then
    echo "$python has no ensurepip; on Debian and Ubuntu: apt-get install python3-venv" >&2
    exit 1
fi
# Execution providers as plugins: their wheels exist for few platforms.
plugins=
[ "$(uname -sm)" != "Linux x86_64" ] || plugins=,qnn,webgpu
extras=${extras/,plugins/$plugins}
[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
PIP_DISABLE_PIP_VERSION_CHECK=1 "$folder/bin/python" -m pip install \
    --constraint constraints.txt --editable ".[$extras]"
