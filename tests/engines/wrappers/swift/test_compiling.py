"""The Swift face as a package, under the compiler's strictest rules, and beside stand-ins for Apple's frameworks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edgekit.devices import _runner
from edgekit.devices._runner import LIBRARY
from edgekit.tools import QUIET_ENGINES
from tests import needs
from tests.engines.wrappers.conformance import reference_text
from tests.engines.wrappers.conformance_respond import said
from tests.engines.wrappers.swift import face
from tests.engines.wrappers.swift.face import FACE, HERE, SOURCES
from tests.peers.swift_root import Root

pytestmark = pytest.mark.tools

USER = """import Edgekit
import Foundation

@main
struct Program {
    static func main() async throws {
        let bundle = try await ModelBundle.open(URL(fileURLWithPath: CommandLine.arguments[1]), options: options())
        for try await case .text(let text) in bundle.conversation(settings: Settings(maxTokens: 20, temperature: 0))
            .send("the hand") { print(text, terminator: "") }
        await bundle.close()
    }

    static func options() -> Options {
        var options = Options()
        (options.onnxruntime, options.genai) = (CommandLine.arguments[2], CommandLine.arguments[3])
        return options
    }
}
"""
USERS_PACKAGE = """// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "Program", platforms: [.macOS(.v12)], dependencies: [.package(path: "../swift")],
    targets: [.executableTarget(name: "Program", dependencies: [.product(name: "Edgekit", package: "swift")])])
"""
HEADERS = Path("/usr/include/nlohmann")


def test_the_package_has_the_face_and_the_core(root: Root, tmp_path: Path) -> None:
    """Its sources of the core are those of libedgekit, as CMakeLists.txt has them."""
    words = ["--package-path", FACE, "--scratch-path", tmp_path, "describe", "--type", "json"]
    done = root.run("swift-package", *words, home=tmp_path)
    assert done.returncode == 0 and not done.stderr, done.stderr
    targets = {target["name"]: target["sources"] for target in json.loads(done.stdout)["targets"]}
    assert sorted(targets["Edgekit"]) == [path.relative_to(FACE).as_posix() for path in sorted(SOURCES)]
    texts = [(FACE / "c" / name).read_text(encoding="utf-8") for name in targets["CEdgekit"]]
    included = re.findall(r'#include "../../cpp/src/(\w+\.cpp)"\n', "".join(texts))
    cmake = (_runner.SOURCES / "CMakeLists.txt").read_text(encoding="utf-8")
    (of_runner,) = re.findall(r'set\(of_runner "(.*?)"\)', cmake)
    left = re.compile(rf"({of_runner}|ort_abi_check)\.cpp")
    core = [path.name for path in sorted((_runner.SOURCES / "src").glob("*.cpp")) if not left.fullmatch(path.name)]
    assert sorted(included) == core and len(core) > 20


@pytest.mark.parametrize("name", ["core", "core_more"])
def test_the_core_compiles_as_the_package_has_it(root: Root, tmp_path: Path, name: str) -> None:
    """Several sources as one file: a name of their own must not be another's."""
    words = ["-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-DEDGEKIT_LIBRARY"]
    done = root.run("clang++", *words, "-isystem", json_headers(tmp_path), FACE / "c" / f"{name}.cpp", home=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-3000:]


def json_headers(folder: Path) -> Path:
    """nlohmann-json in a folder of its own."""
    if not HEADERS.is_dir():
        needs.unavailable("the headers of nlohmann-json are not installed: make test-tools installs them")
    shutil.copytree(HEADERS, folder / "json/nlohmann")
    return folder / "json"


def test_what_is_wrong_is_found(root: Root, tmp_path: Path) -> None:
    """Warnings, and what is not safe between threads, are errors."""
    (tmp_path / "More.swift").write_text(
        """
        final class Counted { var count = 0 }
        func more() async {
            let unused = 1
            let counted = Counted()
            Task.detached { counted.count += 1 }
            counted.count += 1
        }
        """,
        encoding="utf-8",
    )
    words = ["-module-name", "Edgekit", "-typecheck", "-I", FACE / "c/include", *SOURCES]
    errors = re.findall(
        r"More.swift:(\d+):\d+: error", face.compiled(root, tmp_path, [*words, tmp_path / "More.swift"])
    )
    assert "4" in errors and set(errors) <= {"4", "6", "7"}


def test_an_app_for_ios(root: Root, runner: Path, talking_bundle: Path, tmp_path: Path) -> None:
    """Into the background and back, a memory warning, and a LanguageModel: beside stand-ins for Apple's frameworks."""
    extension = FACE / "extensions/EdgekitLanguageModel.swift"
    assert "Never compiled against the real package" in extension.read_text(encoding="utf-8")
    objects = []
    for name in ("UIKit", "FoundationModels"):
        words = [
            "-module-name",
            name,
            "-emit-module",
            "-emit-module-path",
            tmp_path / f"{name}.swiftmodule",
            "-emit-object",
        ]
        said_of = face.compiled(root, tmp_path, [*words, "-o", tmp_path / f"{name}.o", HERE / f"{name}.swift"])
        assert not said_of, said_of
        objects.append(tmp_path / f"{name}.o")
    face.compile_face(root, tmp_path, "-I", tmp_path)
    program = face.compile_program(
        root, tmp_path, "Apple", runner.parent / LIBRARY, HERE / "Apple.swift", extension, *objects
    )
    done = subprocess.run([program, talking_bundle], env=QUIET_ENGINES, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    left, refused, back, warned, let_go, late, session = map(json.loads, done.stdout.splitlines())
    assert left == {"reason": "cancelled"}
    assert refused["refused"] == late["refused"] == "the app is in the background" and refused["next"]
    assert back == warned == let_go == {"reason": "length"}
    messages = [
        {"role": "system", "content": "the can"},
        said("the hand"),
        {"role": "assistant", "content": "in"},
        said("and on"),
    ]
    assert session["text"] == reference_text(talking_bundle, messages=messages, max_tokens=20, temperature=0.0)
    assert (session["tokens"], session["capabilities"]) == (20, 1)


def test_the_face_asks_no_bundle_for_its_name() -> None:
    """No branch on kind, family or provider."""
    names = r'"(llm|tensor|cpu|qnn|coreml|nnapi|xnnpack|webgpu|dml|portable|phi\w*|llama|qwen\w*)"'
    for path in [*SOURCES, *(FACE / "extensions").iterdir()]:
        assert not re.search(names, path.read_text(encoding="utf-8")), path


@pytest.mark.nightly
def test_an_app_by_the_package_manager(root: Root, runner: Path, talking_bundle: Path, tmp_path: Path) -> None:
    """The package is built with the core inside, as an app's dependency; engines are named."""
    shutil.copytree(FACE, tmp_path / "swift")
    shutil.copytree(_runner.SOURCES / "src", tmp_path / "cpp/src")
    json_headers(tmp_path / "swift/c")
    app = tmp_path / "Program"
    (app / "Sources/Program").mkdir(parents=True)
    (app / "Package.swift").write_text(USERS_PACKAGE, encoding="utf-8")
    (app / "Sources/Program/Program.swift").write_text(USER, encoding="utf-8")
    done = root.run("swift-build", "--package-path", app, "--jobs", "2", home=tmp_path)
    assert done.returncode == 0 and "warning" not in done.stdout + done.stderr, done.stdout + done.stderr
    (onnxruntime,) = runner.parent.glob("libonnxruntime.so*")
    (genai,) = runner.parent.glob("libonnxruntime-genai.so*")
    words = [app / ".build/debug/Program", talking_bundle, onnxruntime, genai]
    ran = subprocess.run(words, env=QUIET_ENGINES, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == reference_text(talking_bundle, messages=[said("the hand")], max_tokens=20)
