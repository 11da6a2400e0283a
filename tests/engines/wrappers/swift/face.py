"""The Swift face by the real compiler, and a process that uses it (Driver.swift), asked from Python."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from edgekit import files
from tests.engines.wrappers.conformance_face import FaceProcess
from tests.peers.swift_root import Root

HERE = Path(__file__).parent
FACE = files.resource("wrappers/swift")
SOURCES = sorted(path for folder in ("src", "ios") for path in (FACE / folder).glob("*.swift"))
STRICT = ("-swift-version", "6", "-warnings-as-errors", "-parse-as-library", "-wmo")
README = """import Edgekit
import Foundation

func readme(_ folder: String) async throws -> String {{
    let folder = URL(fileURLWithPath: folder)
{lines}
    return String(decoding: saved, as: UTF8.self)
}}
"""


def readme_lines() -> str:
    """The Swift that the face's README shows."""
    text = (FACE / "README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```swift\nimport Edgekit\n\n(.*?)```", text, re.DOTALL)
    return str(lines).rstrip()


def compiled(root: Root, folder: Path, words: list[str | Path]) -> str:
    """What the compiler says, in a folder; nothing where it has no warning either."""
    done = root.run("swiftc", *STRICT, "-module-cache-path", folder / "cache", *words, home=folder)
    said = done.stdout + done.stderr
    assert done.returncode or not said, said
    return said


def compile_face(root: Root, folder: Path, *more: str | Path) -> Path:
    """The face as a module in a folder."""
    words = ["-module-name", "Edgekit", "-I", FACE / "c/include", "-emit-module", "-emit-module-path", folder]
    said = compiled(root, folder, [*words, "-emit-object", "-o", folder / "Edgekit.o", *SOURCES, *more])
    assert not said, said
    return folder / "Edgekit.o"


def compile_program(root: Root, folder: Path, name: str, library: Path, *sources: Path) -> Path:
    """A program in the folder of the face's module, which finds the core where it was built."""
    program = folder / name
    words = ["-module-name", name, "-I", folder, "-I", FACE / "c/include", "-emit-executable", "-o", program]
    linked = [folder / "Edgekit.o", library, "-Xlinker", "-rpath", "-Xlinker", library.parent]
    said = compiled(root, folder, [*words, *linked, *sources])
    assert not said, said
    return program


def compile_driver(root: Root, folder: Path, library: Path) -> Path:
    """The face, the lines of its README and the driver: a program, where every warning is an error."""
    compile_face(root, folder)
    readme = folder / "Readme.swift"
    readme.write_text(README.format(lines=readme_lines()), encoding="utf-8")
    return compile_program(root, folder, "Driver", library, HERE / "Driver.swift", readme)


class Driver(FaceProcess):
    """A process with the face."""

    def __init__(self, program: Path, folder: Path, **env: str) -> None:
        super().__init__([program], folder, env=env)

    def ask(self, do: str, **request: Any) -> Any:
        """See FaceProcess.ask; a Task that was cancelled is refused with the code "cancelled"."""
        if do == "request":
            request = {**request, "raw": json.dumps(request["request"]), "request": None}
        elif "request" in request:
            request["request"] = _of_swift(request["request"])
        answer = super().ask(do, **_of_swift(request))
        return [_of_header(message) for message in answer] if do in ("history", "readme") else answer


def _of_swift(request: dict[str, Any]) -> dict[str, Any]:
    """A request of edgekit.h as the face's types have it: JSON in texts, and calls."""
    said = dict(request)
    if "tools" in said:
        functions = [each["function"] for each in said["tools"]]
        said["tools"] = [each | {"parameters": json.dumps(each["parameters"])} for each in functions]
    if "messages" in said:
        said["messages"] = [
            {"calls": [_call(each) for each in message.get("tool_calls", [])], **message}
            for message in said["messages"]
        ]
    return said


def _call(call: dict[str, Any]) -> dict[str, Any]:
    return {"id": call["id"], **call["function"], "arguments": json.dumps(call["function"]["arguments"])}


def _of_header(message: dict[str, Any]) -> dict[str, Any]:
    """A Message of the face as edgekit.h has it."""
    told = {name: message[name] for name in ("role", "content", "name") if message.get(name) is not None}
    calls = [
        {"id": call["id"], "type": "function"}
        | {"function": {"name": call["name"], "arguments": json.loads(call["arguments"])}}
        for call in message["calls"]
    ]
    return told | ({"tool_calls": calls} if calls else {})
