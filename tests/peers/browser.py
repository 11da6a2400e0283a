"""Headless Chromium over its DevTools pipe (the protocol's JSON messages, each ended by a zero byte): no other package.

https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ANSWER_S = 60.0
PHONE, DESK = (390, 844), (1280, 900)


@dataclass
class Tab:
    """One page, what it asked the network for, and what it complained about."""

    reading: int
    writing: int
    session: str = ""
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _events: list[str] = field(default_factory=list)
    _buffer: bytes = b""
    _last: int = 0

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result; events that come meanwhile are noted."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer
                found: dict[str, Any] = answer["result"]
                return found

    def open(self, url: str, size: tuple[int, int], *, dark: bool = False) -> None:
        """Load a page in a window of this size, as a phone does where it is narrow."""
        self.requests.clear()
        self.complaints.clear()
        width, height = size
        phone = width < 700
        scale = 2 if phone else 1
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self._events.clear()
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + ANSWER_S
        while "Page.loadEventFired" not in self._events:
            assert time.monotonic() < deadline, "the page was never loaded"
            self._read()

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """The whole page as a PNG."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

    def _read(self) -> dict[str, Any]:
        selector = selectors.DefaultSelector()
        selector.register(self.reading, selectors.EVENT_READ)
        while b"\0" not in self._buffer:
            assert selector.select(ANSWER_S), "the browser does not answer"
            more = os.read(self.reading, 1 << 20)
            assert more, "the browser has gone"
            self._buffer += more
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        method, params = message.get("method", ""), message.get("params", {})
        self._events.append(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])


@contextmanager
def chromium(program: Path) -> Iterator[Tab]:
    """A tab of a fresh browser, which is gone at the end."""
    ours, theirs = os.pipe(), os.pipe()  # what we read, what it reads
    with tempfile.TemporaryDirectory(prefix="edgekit-browser-") as profile:
        command = [
            str(program),
            "--headless=new",
            "--remote-debugging-pipe",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            f"--user-data-dir={profile}",
            "about:blank",
        ]

        def pipes() -> None:
            os.dup2(theirs[0], 3)
            os.dup2(ours[1], 4)

        process = subprocess.Popen(  # 3 and 4 are where it looks for its commands and writes its answers
            command, pass_fds=(3, 4), preexec_fn=pipes, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(theirs[0])
        os.close(ours[1])
        try:
            tab = Tab(ours[0], theirs[1])
            target = tab.call("Target.createTarget", url="about:blank")["targetId"]
            tab.session = tab.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                tab.call(f"{domain}.enable")
            yield tab
        finally:
            process.kill()
            process.wait()
            os.close(ours[0])
            os.close(theirs[1])
