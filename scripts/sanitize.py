"""The C++ core under AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer (`make sanitize`).

The runner is built by g++ with the first two sanitizers and takes the tests of the runner and of what all runtimes do
alike; its first finding, or a leak when a request is served, ends it, and so the test. The core takes its own tests so
(test_core.py), and once more under ThreadSanitizer; its readers take the fuzzers' corpus, jni.cpp a JVM. Words after
the command go to pytest. What clang-tidy finds without running anything is scripts/tidy.py's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from edgekit import cache
from edgekit.devices import _runner

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "edgekit/wrappers/cpp"
CORE_TESTS = ROOT / "tests/engines/wrappers/cpp"
STUB_TARGETS = ("core-test", "stub-engine")
TESTS = (
    "test_conformance.py",
    "test_calls.py",
    "test_app.py",
    "test_core.py",
    "test_fuzz.py::test_the_corpus_is_read",
    "../kotlin/test_jni.py",
    # Dawn and the emulator do not run beside AddressSanitizer: with options that end before they compute.
    "test_provider_options.py::test_webgpu_takes_its_options[own-options2-False]",
    "test_provider_options.py::test_genai_hands_the_options_on[own-1]",
)
PROGRAMS = ("cmake", "g++")


def build(which: str, *targets: str) -> Path:
    """The folder of a sanitized build; only what changed is compiled again."""
    folder = cache.root() / f"sanitized-{which}"
    settings = [f"-DEDGEKIT_SANITIZE={which}", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_COMPILER=g++"]
    settings += [f"-DEDGEKIT_VERSION={_runner.__version__}", f"-DEDGEKIT_STUB={CORE_TESTS / 'stub'}"]
    subprocess.run(["cmake", "-S", SOURCES, "-B", folder, *settings], check=True)
    words = ["--target", *targets, "--parallel", str(os.cpu_count() or 1)]
    subprocess.run(["cmake", "--build", folder, *words], check=True)
    return folder


def runner() -> Path:
    """The sanitized runner, with the engines of the plain one beside it, the core's own tests, and its readers."""
    plain = _runner.build(_runner.platform(f"linux-{_runner.host_abi()}"))
    folder = build("ON", _runner.NAME, *STUB_TARGETS, "core-fuzz", "edgekit")
    for library in plain.parent.glob("libonnxruntime*.so*"):
        link = folder / library.name
        link.unlink(missing_ok=True)
        link.symlink_to(library)
    return folder / _runner.NAME


def test(runner: Path, words: list[str]) -> int:
    """pytest's exit code for the tests of the runner, which is the sanitized one."""
    env = {
        **os.environ,
        "EDGEKIT_RUNNER": str(runner),
        "EDGEKIT_CORE_TEST": str(runner.with_name("core-test")),
        "EDGEKIT_CORE_FUZZ": str(runner.with_name("core-fuzz")),
        "EDGEKIT_JNI_SANITIZED": str(runner.parent),
        # Leaks are looked for when a request is served (protocol.cpp): at exit ONNX Runtime has some of its own.
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:leak_check_at_exit=0:verify_asan_link_order=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    return _pytest(env, TESTS, words)


def test_threads(words: list[str]) -> int:
    """pytest's exit code for the core's own tests under ThreadSanitizer."""
    program = build("thread", *STUB_TARGETS) / "core-test"
    env = {**os.environ, "EDGEKIT_CORE_TEST": str(program), "TSAN_OPTIONS": "halt_on_error=1"}
    return _pytest(env, ["test_core.py"], words)


def _pytest(env: dict[str, str], names: Iterable[str], words: list[str]) -> int:
    tests = [str(CORE_TESTS / name) for name in names]
    return subprocess.run([sys.executable, "-m", "pytest", *tests, *words], env=env, check=False).returncode


def main() -> int:
    """All three, in the order of their cost; 1 where something was found."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        print(f"{', '.join(missing)}: not installed (make apt-tools)", file=sys.stderr)
        return 1
    return test(runner(), sys.argv[1:]) or test_threads(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
