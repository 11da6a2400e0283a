"""The C# face from Python: a process of .NET (Adapter.cs) that asks it what is asked here."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from edgekit import files
from edgekit.tools import QUIET_ENGINES
from tests.engines.wrappers.conformance_respond import Answered
from tests.peers.dotnet import Dotnet

HERE = Path(__file__).parent
FACE = files.resource("wrappers/csharp")
SOURCES = sorted((FACE / "src").glob("*.cs"))
MOST_S = 60.0
Array = np.ndarray[Any, np.dtype[Any]]


class Refusal(Exception):
    """An EdgekitException, or another of .NET's by its name as code."""

    def __init__(self, code: str, message: str, next: str = "", axis: str = "") -> None:
        super().__init__(message)
        self.code, self.next, self.axis = code, next, axis


@dataclass
class Told:
    """What an answer told."""

    text: str = ""
    pieces: list[int] = field(default_factory=list)
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    done: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def take(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        if event["event"] == "progress":
            self.pieces.append(event["Read"])
        elif event["event"] == "text":
            self.text += event["Value"]
        elif event["event"] == "call":
            self.calls.append((event["Id"], event["Name"], event["Json"]))
        elif event["event"] == "done":
            self.done = event


class Console:
    """A process of the app."""

    def __init__(self, sdk: Dotnet, app: Path) -> None:
        env = {**sdk.env, **QUIET_ENGINES}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            sdk.command(app / "Adapter.dll"), env=env, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )
        self.told = Told()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:  # without a line more it ends
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.end()

    def end(self) -> int:
        """Its exit code."""
        timer = threading.Timer(MOST_S, self.process.kill)
        timer.start()
        code = self.process.wait()
        timer.cancel()
        return code

    def ask(self, do: str, **asked: Any) -> Any:
        """What it says at the end; `told` has the events."""
        self.told = Told()
        assert self.process.stdin is not None and self.process.stdout is not None and self.process.stderr is not None
        timer = threading.Timer(MOST_S, self.process.kill)
        timer.start()
        self.process.stdin.write(json.dumps({"do": do, **asked}) + "\n")
        self.process.stdin.flush()
        try:
            for line in self.process.stdout:
                answer = json.loads(line)
                if "error" in answer:
                    raise Refusal(**answer["error"])
                if "end" in answer:
                    return answer["end"]
                self.told.take(answer)
        finally:
            timer.cancel()
        if asked.get("how") == "quit":
            return None
        raise AssertionError(f"the console is gone: {self.process.stderr.read()}")

    def open(self, bundle: Path, *, cancelled: bool = False, **options: Any) -> Self:
        self.ask("open", bundle=str(bundle), options=options, cancelled=cancelled)
        return self

    def answer(self, **request: Any) -> Answered:
        return self.answer_until(1 << 30, 1 << 30, **request)

    def answer_until(self, pieces: int, chars: int, how: str = "cancel", **request: Any) -> Answered:
        self.start(pieces, chars, how, **request)
        done = self.told.done
        numbers = (done["PromptTokens"], done["Tokens"], done["Reused"], done["Loaded"])
        return Answered(self.told.text, done["Reason"], *numbers, tuple(self.told.pieces), tuple(self.told.calls))

    def start(self, pieces: int, chars: int, how: str, **request: Any) -> Told:
        """An answer that is ended so when so much was told; it may have no end."""
        self.ask("answer", request=request, pieces=pieces, chars=chars, how=how)
        return self.told

    def trim(self, what: str) -> int:
        return int(self.ask("trim", what=what))

    def infer(self, feed: Mapping[str, Array], into: Mapping[str, Array | None]) -> dict[str, Array]:
        def tensor(name: str, array: Array | None) -> dict[str, Any]:
            if array is None:
                return {"name": name, "bytes": 0}
            data = base64.b64encode(array.tobytes()).decode()
            return {"name": name, "type": str(array.dtype), "shape": array.shape, "bytes": array.nbytes, "data": data}

        inputs, outputs = ([tensor(*each) for each in side.items()] for side in (feed, into))
        made = self.ask("infer", inputs=inputs, outputs=outputs)
        return {
            each["Name"]: np.frombuffer(base64.b64decode(each["Data"]), each["Type"]).reshape(each["Shape"])
            for each in made
        }


@contextmanager
def there(sdk: Dotnet, app: Path, bundle: Path, slots: int = 1, piece: int = 128) -> Iterator[Console]:
    with Console(sdk, app) as console:
        yield console.open(bundle, Slots=slots or -1, Piece=piece)
        console.ask("close")
