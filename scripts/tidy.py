"""Every source of the C++ core through clang-tidy (`make tidy`); .clang-tidy beside them says of what.

Every finding is an error. It takes minutes, so it is a nightly, and what to run after a change of the core.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "edgekit/wrappers/cpp"
JNI = ROOT / "edgekit/wrappers/kotlin/src/jni.cpp"
OTHERS = ("machine_apple.cpp", "ort_abi_check.cpp")  # of another system; of a header that is not here
CONFIG = f"--config-file={SOURCES / '.clang-tidy'}"


def sources() -> tuple[list[Path], list[str]]:
    """What is looked at, and the folders of headers; the JVM's half only where there is a JDK."""
    paths = [path for path in sorted((SOURCES / "src").glob("*.cpp")) if path.name not in OTHERS]
    headers = [f"-I{SOURCES / 'src'}"]
    if compiler := shutil.which("javac"):
        java = Path(compiler).resolve().parents[1] / "include"
        headers += ["-isystem", str(java), "-isystem", str(java / "linux")]
        paths.append(JNI)
    return paths, headers


def findings(path: Path, headers: list[str]) -> str:
    """What clang-tidy says of a source; "" where that is nothing."""
    flags = ["-std=c++17", "-Wall", "-Wextra", '-DEDGEKIT_VERSION="0"', *headers]
    command = ["clang-tidy", "--quiet", CONFIG, path, "--", *flags]
    done = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, check=False)
    return (done.stdout + (done.stderr if done.returncode else "")).strip()


def main() -> int:
    """As many sources at a time as there are processors; 1 where something was found."""
    if shutil.which("clang-tidy") is None:
        print("clang-tidy: not installed (make apt-tools)", file=sys.stderr)
        return 1
    began = time.monotonic()
    paths, headers = sources()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        texts = [text for text in pool.map(lambda path: findings(path, headers), paths) if text]
    print("\n".join(texts))
    print(f"{len(paths)} files, {len(texts)} faults in {time.monotonic() - began:.1f}s")
    return 1 if texts else 0


if __name__ == "__main__":
    sys.exit(main())
