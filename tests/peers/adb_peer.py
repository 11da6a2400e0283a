"""The device's side of adb over TCP, in a process of its own: the wire protocol, and shells that are real processes.

    python adb_peer.py --root FOLDER [--port N] [--shell "mksh -c"] [--path FOLDER]... [--env NAME=VALUE]...

It prints "listening PORT". The real adb client reaches it with `adb connect 127.0.0.1:PORT`. What it speaks is written
down in AOSP's packages/modules/adb/protocol.txt and SERVICES.TXT, the shell protocol in shell_protocol.h: CNXN without
authentication, OPEN, OKAY, WRTE, CLSE; and one service, `shell,v2`, with exit codes and a separate standard error.

As on some phones, a connection that ends takes no process with it. There is no chroot: the shell starts in FOLDER with
TMPDIR=FOLDER/data/local/tmp, HOME=FOLDER and PATH=the --path folders, then FOLDER/system/bin. It is an ARM64 machine
where `uname` says so and `python3`, or EDGEKIT_RUN_WITH, goes through qemu's user emulation (phone.arm64_programs).

Faults are read from FOLDER/../faults.json whenever something happens, and each is forgotten after it has struck:
    {"cut": N}       the connection is cut after N more bytes from the client
    {"flip": N}      of what programs read, the byte N is changed
    {"garbage": TEXT}  a shell that is opened prints TEXT instead of running anything
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import queue
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

CNXN, OPEN, OKAY, CLSE, WRTE = (
    int.from_bytes(word, "little") for word in (b"CNXN", b"OPEN", b"OKAY", b"CLSE", b"WRTE")
)
VERSION, MAX_DATA = 0x01000001, 256 * 1024
STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN = range(5)  # shell protocol packets


class Cut(Exception):
    """The connection is to end now."""


class Faults:
    """faults.json: each key is a fault that has not struck yet."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()

    def take(self, name: str) -> Any:
        """The value of a fault that strikes now; it is forgotten. None where it is not set."""
        with self._lock:
            faults = self._read()
            value = faults.pop(name, None)
            if value is not None:
                self._write(faults)
            return value

    def reach(self, name: str, count: int) -> int | None:
        """Count down to a fault: the offset within these `count` bytes at which it strikes, or None."""
        with self._lock:
            faults = self._read()
            left = faults.get(name)
            if left is None:
                return None
            if left < count:
                del faults[name]
            else:
                faults[name] = left - count
            self._write(faults)
            return int(left) if left < count else None

    def get(self, name: str, otherwise: Any) -> Any:
        """The value of a fault that stays."""
        return self._read().get(name, otherwise)

    def _write(self, faults: dict[str, Any]) -> None:
        aside = self._path.with_suffix(".part")
        aside.write_text(json.dumps(faults))
        aside.replace(self._path)

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._path.read_text()))
        except (OSError, ValueError):
            return {}


class Stream:
    """One stream of a connection. A write waits until the one before was acknowledged, as the protocol demands."""

    def __init__(self, connection: Connection, local: int, remote: int) -> None:
        self._connection, self.local, self.remote = connection, local, remote
        self.received: queue.Queue[bytes] = queue.Queue()
        self.ready = threading.Semaphore(1)
        self.closed = False
        self._buffer = b""

    def write(self, data: bytes) -> None:
        for at in range(0, len(data), self._connection.max_data):
            self.ready.acquire()
            if self.closed:
                raise BrokenPipeError
            self._connection.send(WRTE, self.local, self.remote, data[at : at + self._connection.max_data])

    def read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            piece = self.received.get()
            if not piece:
                raise EOFError
            self._connection.send(OKAY, self.local, self.remote)
            self._buffer += piece
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def close(self) -> None:
        """End the stream from this side, after the last write was acknowledged."""
        if not self.closed:
            self.ready.acquire()
            if not self.closed:
                self.closed = True
                self._connection.send(CLSE, self.local, self.remote)

    def end(self) -> None:
        """The other side has closed it, or the connection has gone."""
        self.closed = True
        self.received.put(b"")
        self.ready.release()


class Connection:
    """One connected client (an adb server)."""

    def __init__(self, sock: socket.socket, device: Device) -> None:
        self._socket, self._device = sock, device
        self._streams: dict[int, Stream] = {}
        self._numbers = itertools.count(1)
        self._writing = threading.Lock()
        self.max_data = 4096

    def send(self, command: int, first: int, second: int, data: bytes = b"") -> None:
        head = struct.pack("<6I", command, first, second, len(data), sum(data) & 0xFFFFFFFF, command ^ 0xFFFFFFFF)
        try:
            with self._writing:
                self._socket.sendall(head + data)
        except OSError:
            raise BrokenPipeError from None

    def serve(self) -> None:
        """Handle packets until the connection ends."""
        try:
            while True:
                command, first, second, length, _, magic = struct.unpack("<6I", self._receive(24))
                if magic != command ^ 0xFFFFFFFF:
                    return
                self._handle(command, first, second, self._receive(length))
        except (EOFError, OSError, Cut):
            pass
        finally:
            self._socket.close()
            for stream in list(self._streams.values()):
                stream.end()

    def _receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise EOFError
            if self._device.faults.reach("cut", len(piece)) is not None:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
                raise Cut
            data += piece
        return data

    def _handle(self, command: int, first: int, second: int, data: bytes) -> None:
        stream = self._streams.get(second)
        if command == CNXN:
            self.max_data = min(second, MAX_DATA)
            self.send(CNXN, VERSION, MAX_DATA, self._device.banner())
        elif command == OPEN:
            self._open(first, data.rstrip(b"\0").decode())
        elif command == WRTE and stream is not None:
            stream.received.put(data)
        elif command == OKAY and stream is not None:
            stream.ready.release()
        elif command == CLSE and stream is not None:
            del self._streams[second]
            stream.end()
        elif command == WRTE:
            self.send(CLSE, 0, first)

    def _open(self, remote: int, service: str) -> None:
        name, _, argument = service.partition(":")
        kind, *options = name.split(",")
        if kind != "shell" or "v2" not in options:
            self.send(CLSE, 0, remote)
            return
        local = next(self._numbers)  # never used again: a late packet of a closed stream must not meet another
        stream = self._streams[local] = Stream(self, local, remote)
        self.send(OKAY, local, remote)
        threading.Thread(target=self._device.shell, args=(stream, argument), daemon=True).start()


class Device:
    """What a client sees: a root folder and its shell."""

    def __init__(self, root: Path, shell: list[str], path: list[str], env: list[str]) -> None:
        self._root, self._argv = root, shell
        self.faults = Faults(root.parent / "faults.json")
        self._env = {
            "PATH": ":".join([*path, str(root / "system/bin")]),
            "HOME": str(root),
            "TMPDIR": str(root / "data/local/tmp"),
            "ANDROID_DATA": str(root / "data"),
            **dict(pair.split("=", 1) for pair in env),
        }

    def banner(self) -> bytes:
        facts = "ro.product.name=peer;ro.product.model=Peer;ro.product.device=peer;"
        return f"device::{facts}features=shell_v2,cmd,stat_v2".encode()

    def shell(self, stream: Stream, command: str) -> None:
        """Run a command for a stream, in the shell protocol."""
        with suppress(BrokenPipeError, EOFError):
            garbage = self.faults.take("garbage")
            if garbage is not None:
                _tell(stream, STDOUT, str(garbage).encode())
            else:
                self._run(stream, command)
        with suppress(BrokenPipeError):
            stream.close()

    def _run(self, stream: Stream, command: str) -> None:
        process = subprocess.Popen(
            [*self._argv, command],
            cwd=self._root,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        threading.Thread(target=self._feed, args=(stream, process), daemon=True).start()
        sources = ((process.stdout, STDOUT), (process.stderr, STDERR))
        pumps = [threading.Thread(target=_pump, args=(stream, *source), daemon=True) for source in sources]
        for pump in pumps:
            pump.start()
        code = process.wait()
        for pump in pumps:
            pump.join(60)  # a grandchild may hold the pipe for ever
        _tell(stream, EXIT, bytes([code if code >= 0 else 128 - code]))

    def _feed(self, stream: Stream, process: subprocess.Popen[bytes]) -> None:
        """What the client sends becomes the program's input; the end of the stream is its end of file."""
        assert process.stdin is not None
        with suppress(EOFError, OSError):
            while True:
                kind, length = struct.unpack("<BI", stream.read(5))
                data = stream.read(length)
                if kind == CLOSE_STDIN:
                    break
                if kind == STDIN:
                    process.stdin.write(self._flipped(data))
                    process.stdin.flush()
        with suppress(OSError):
            process.stdin.close()

    def _flipped(self, data: bytes) -> bytes:
        at = self.faults.reach("flip", len(data))
        if len(data) >= self.faults.get("flip_large", 1 << 30):
            at = 0
        return data if at is None else data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _pump(stream: Stream, source: IO[bytes], kind: int) -> None:
    with suppress(BrokenPipeError):
        while data := source.read1(65536):  # type: ignore[attr-defined]
            _tell(stream, kind, data)


def _tell(stream: Stream, kind: int, data: bytes) -> None:
    stream.write(struct.pack("<BI", kind, len(data)) + data)


def _program(words: str) -> list[str]:
    """A command line whose program has its full path: the device's own PATH has other programs."""
    first, *rest = shlex.split(words)
    return [shutil.which(first) or first, *rest]


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--shell", default="sh -c")
    parser.add_argument("--path", action="append", default=[])
    parser.add_argument("--env", action="append", default=[])
    options = parser.parse_args()
    device = Device(options.root.absolute(), _program(options.shell), options.path, options.env)
    server = socket.create_server(("127.0.0.1", options.port))
    sys.stdout.write(f"listening {server.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        client, _ = server.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=Connection(client, device).serve, daemon=True).start()


if __name__ == "__main__":
    os.umask(0o022)
    main()
