"""A server that speaks S3 (moto's, Apache-2.0) on this machine, and the client that fsspec has for it (s3fs).

Both come by pip into a folder of the cache, with versions that fit each other and the pins of constraints.txt: pip
alone would take minutes to find them.

    python -m tests.peers.s3 PORT     the server; in an environment that has `folder()` on its path
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekit import cache

CLIENT = (
    "s3fs==2026.9.0",
    "fsspec==2026.9.0",
    "aiobotocore==3.10.0",
    "aioitertools==0.13.0",
    "botocore==1.43.117",
    "jmespath==1.1.0",
    "wrapt==2.5.2",
)
SERVER = (
    "moto==5.2.5",
    "boto3==1.43.117",
    "s3transfer==0.19.3",
    "responses==0.26.3",
    "xmltodict==1.0.4",
    "py-partiql-parser==0.6.3",
    "werkzeug==3.1.9",
    "flask==3.1.3",
    "flask-cors==6.0.5",
    "itsdangerous==2.2.0",
    "blinker==1.9.0",
    "cryptography==50.0.2",
    "cffi==2.1.1",
    "pycparser==3.12",
)
START_S = 60.0
BUCKET = "edgekit"


def folder() -> Path:
    """Where the packages lie, fetched once.

    Raises:
        RuntimeError: pip cannot fetch them.
    """
    pins = [*CLIENT, *SERVER]

    def fetch(to: Path) -> None:
        words = ["install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:", "--target", str(to), *pins]
        done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"pip cannot fetch an S3 server: {done.stderr.strip()[-300:]}")

    return cache.produce("downloads", {"pip": pins}, fetch, what="s3fs and moto").path


@contextmanager
def serving() -> Iterator[dict[str, str]]:
    """A server with an empty bucket; yields the variables that a client needs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = os.pathsep.join([str(folder()), *filter(None, [os.environ.get("PYTHONPATH")])])
    address = f"http://127.0.0.1:{port}"
    variables = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    variables |= {"AWS_ENDPOINT_URL": address, "PYTHONPATH": path}
    command = [sys.executable, "-m", "tests.peers.s3", str(port)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=os.environ | variables, stdout=quiet, stderr=quiet)
    try:
        _make_bucket(f"{address}/{BUCKET}", process)
        yield variables
    finally:
        process.kill()
        process.wait()


def _make_bucket(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=10).close()
            return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("the S3 server did not start") from None
            time.sleep(0.1)


if __name__ == "__main__":
    from moto.server import main

    main(["-H", "127.0.0.1", "-p", sys.argv[1]])
