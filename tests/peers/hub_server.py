"""A server that speaks the Hugging Face hub's protocol, with its faults on order: a real process on real sockets.

    python hub_server.py ROOT

ROOT/repos/ORG/NAME/        the files of a repository; its one commit is COMMIT, its branch main, its tag v1
ROOT/faults.json            [{"match": regex of "METHOD path", "times": N, "do": ..., "value": ...}, ...]
ROOT/log.jsonl              every request as it came; never the token, only which one it was

Prints {"hub": URL, "cdn": URL} and then serves until it is killed. Large files (.safetensors, .onnx, .gguf, *data) are
LFS: the hub answers with a redirect to the CDN, another host, which knows ranges and must not see a token.
Written after huggingface_hub 0.36.2 (hf_api.py, file_download.py, utils/_http.py) and the hub's own answers they parse.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REVISIONS = ("main", "v1", "refs/pr/1", COMMIT)
LFS = (".safetensors", ".onnx", ".gguf", "data")
TOKEN = "hf_aSecretThatMustNeverBeShown"
GATED, PRIVATE = "org/gated", "org/private"


class Hub:
    """What both servers share."""

    def __init__(self, root: Path) -> None:
        self.root, self.cdn = root, ""
        self.lock = threading.Lock()
        self.used: dict[int, int] = {}

    def fault(self, line: str) -> dict[str, Any]:
        """The first fault that matches a request and is not used up yet."""
        path = self.root / "faults.json"
        with self.lock:
            for index, one in enumerate(json.loads(path.read_text()) if path.exists() else []):
                if re.search(one["match"], line) and self.used.get(index, 0) < one.get("times", 1 << 30):
                    self.used[index] = self.used.get(index, 0) + 1
                    return dict(one)
        return {}

    def log(self, **fields: Any) -> None:
        with self.lock, (self.root / "log.jsonl").open("a") as stream:
            stream.write(json.dumps(fields) + "\n")

    def files(self, repo: str) -> dict[str, Path]:
        folder = self.root / "repos" / repo
        return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def is_lfs(name: str) -> bool:
    return name.endswith(LFS)


def blob(path: Path) -> str:
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """The hub itself."""

    hub: Hub
    protocol_version = "HTTP/1.1"
    side = "hub"

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        sent = self.headers.get("Authorization", "")
        self.hub.log(
            side=self.side,
            method=self.command,
            path=path,
            range=self.headers.get("Range", ""),
            token={"": "none", f"Bearer {TOKEN}": "right"}.get(sent, "other"),
            agent=self.headers.get("User-Agent", ""),
        )
        fault = self.hub.fault(f"{self.side} {self.command} {path}")
        if "status" in fault:
            self.refuse(fault["status"], fault.get("code", ""), fault.get("headers", {}))
        elif fault.get("do") == "hang":
            time.sleep(fault["seconds"])
            self.close_connection = True
        elif fault.get("do") == "text":
            self.send(200, fault["body"].encode(), {"Content-Type": "application/json"})
        else:
            self.route(path, fault, token=sent == f"Bearer {TOKEN}", refused=sent not in ("", f"Bearer {TOKEN}"))

    def route(self, path: str, fault: dict[str, Any], *, token: bool, refused: bool) -> None:
        found = re.fullmatch(
            r"(?:/api/models)?/([^/]+/[^/]+)(?:/(?:revision|resolve)/(refs/pr/\d+|[^/]+)(?:/(.*))?)?", path
        )
        if refused:
            return self.refuse(401, "", {"X-Error-Message": "Invalid credentials in Authorization header"})
        if found is None or not self.hub.files(found[1]) or (found[1] == PRIVATE and not token):
            return self.refuse(401 if not token else 404, "RepoNotFound" if token else "", {})
        repo, revision, name = found[1], found[2] or "main", found[3]
        if revision not in REVISIONS:
            return self.refuse(404, "RevisionNotFound", {})
        if path.startswith("/api/models"):
            return self.listing(repo, fault)
        if repo == GATED and not token:
            return self.refuse(401, "GatedRepo", {"X-Error-Message": f"Access to model {repo} is restricted."})
        if name not in self.hub.files(repo):
            return self.refuse(404, "EntryNotFound", {"X-Repo-Commit": COMMIT})
        self.file(repo, name, fault)
        return None

    def listing(self, repo: str, fault: dict[str, Any]) -> None:
        siblings: list[dict[str, Any]] = []
        for name, path in self.hub.files(repo).items():
            size = path.stat().st_size
            one: dict[str, Any] = {"rfilename": name, "size": size, "blobId": blob(path)}
            if is_lfs(name):
                one["lfs"] = {"sha256": sha256(path), "size": size, "pointerSize": 134}
            siblings.append(one | fault.get("files", {}).get(name, {}))
        siblings += fault.get("more", [])
        about = {"id": repo, "modelId": repo, "sha": COMMIT, "private": False, "siblings": siblings}
        self.send(200, json.dumps(about | fault.get("about", {})).encode(), {"Content-Type": "application/json"})

    def file(self, repo: str, name: str, fault: dict[str, Any]) -> None:
        path = self.hub.files(repo)[name]
        common = {"X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if is_lfs(name):
            digest = sha256(path)
            headers = {
                **common,
                "Location": f"{self.hub.cdn}/{repo}/{name}?signature=abc",
                "X-Linked-ETag": f'"{digest}"',
                "X-Linked-Size": str(path.stat().st_size),
                "ETag": '"other"',
            }
            return self.send(302, b"", headers)
        return self.body(path.read_bytes(), {**common, "ETag": f'"{blob(path)}"'}, fault)

    def body(self, data: bytes, headers: dict[str, str], fault: dict[str, Any]) -> None:
        """A whole file or the asked part; a fault cuts it, changes it, or forgets the range."""
        if fault.get("do") == "change":
            data = bytes([data[0] ^ 1]) + data[1:]
        if fault.get("do") == "longer":
            data += bytes(100)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        status = 200
        if asked and fault.get("do") != "no-range":
            start = int(asked[1])
            if start >= len(data):
                return self.refuse(416, "", {"Content-Range": f"bytes */{len(data)}"})
            headers = {**headers, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
            data, status = data[start:], 206
        return self.send(status, data, headers, fault)

    def refuse(self, status: int, code: str, headers: dict[str, str]) -> None:
        self.send(status, b'{"error": "refused"}', {"X-Error-Code": code, **headers} if code else headers)

    def send(self, status: int, data: bytes, headers: dict[str, str], fault: dict[str, Any] | None = None) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = (fault or {}).get("cut")
        self.wfile.write(data if cut is None else data[:cut])
        self.wfile.flush()
        if (fault or {}).get("do") == "stall":
            time.sleep((fault or {})["seconds"])
        if cut is not None:  # reset, or a plain end before Content-Length
            self.close_connection = True
            if (fault or {}).get("do") == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                self.connection.close()

    def log_message(self, *args: object) -> None:
        """Nothing on stderr: the log is a file."""


class Cdn(Handler):
    """Where large files lie; it refuses whoever shows it a token that was meant for the hub."""

    side = "cdn"

    def route(self, path: str, fault: dict[str, Any], *, token: bool, refused: bool) -> None:
        _, org, name, rest = path.split("/", 3)
        found = self.hub.files(f"{org}/{name}").get(rest)
        if token or refused or found is None:
            return self.refuse(400, "", {})
        return self.body(found.read_bytes(), {"Accept-Ranges": "bytes", "ETag": '"cdn"'}, fault)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is gone is what some tests are about."""


def main(root: Path) -> None:
    hub = Hub(root)
    servers = [
        Server(("127.0.0.1", 0), type("Bound", (kind,), {"hub": hub}))  # type: ignore[arg-type]
        for kind in (Handler, Cdn)
    ]
    urls = [f"http://127.0.0.1:{server.server_address[1]}" for server in servers]
    hub.cdn = urls[1]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(json.dumps({"hub": urls[0], "cdn": urls[1]}) + "\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
