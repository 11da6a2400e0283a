"""Servers that speak as Google's and Azure's object stores do, on this machine, with the clients of fsspec for them.

gcp-storage-emulator (MIT, from PyPI) with gcsfs, and Azurite (Microsoft's own, MIT, from npm) with adlfs. Clients and
servers come into folders of the cache, with the versions that were tried together; what Azurite itself needs is not
pinned. Each server begins with an empty bucket or container, for neither client makes one.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgekit import cache

BUCKET = "edgekit"
START_S = 60.0
GOOGLE = (
    *("gcsfs==2025.9.0", "gcp-storage-emulator==2026.7.19", "decorator==5.3.1", "google-api-core==2.44.0"),
    *("google-auth==2.63.0", "google-auth-oauthlib==1.5.0", "google-cloud-core==2.8.0", "google-cloud-storage==3.17.1"),
    *("google-crc32c==1.9.0", "google-resumable-media==2.11.0", "googleapis-common-protos==1.76.0", "oauthlib==4.0.1"),
    *("opentelemetry-api==1.45.2", "proto-plus==1.29.0", "pyasn1==0.6.5", "pyasn1-modules==0.4.2"),
    *("requests-oauthlib==2.0.0", "cryptography==50.0.2", "cffi==2.1.1", "pycparser==3.12"),
)
AZURE = (
    *("adlfs==2026.8.0", "fsspec==2026.9.0", "azure-core==1.41.0", "azure-identity==1.27.0", "msal==1.39.0"),
    *("azure-storage-blob==12.31.1", "isodate==0.7.2", "msal-extensions==1.3.1", "pyjwt==2.15.1"),
    *("cryptography==50.0.2", "cffi==2.1.1", "pycparser==3.12"),
)
AZURITE = "azurite@3.37.0"
QUIET = ("--disableTelemetry", "--skipApiVersionCheck")  # the client asks a version of its API that is newer
# The account that every Azurite has; Microsoft publishes its key.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
MAKE = f"import fsspec; fsspec.filesystem('az').mkdir('{BUCKET}')"


@dataclass(frozen=True)
class Server:
    """One that runs: the protocol of its addresses, and the variables of a client."""

    protocol: str
    variables: Mapping[str, str]


@contextmanager
def google() -> Iterator[Server]:
    """Google's.

    Raises:
        RuntimeError: pip cannot fetch it.
    """
    packages, port = _installed(GOOGLE), _free_port()
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--host", "127.0.0.1", "--port", str(port)]
    path = {"PYTHONPATH": os.pathsep.join([str(packages), *filter(None, [os.environ.get("PYTHONPATH")])])}
    with _running([*command, "--in-memory", "--default-bucket", BUCKET], port, path):
        yield Server("gs", path | {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}"})


@contextmanager
def azure() -> Iterator[Server]:
    """Azure's.

    Raises:
        RuntimeError: pip or npm cannot fetch it.
    """
    packages, program, port = _installed(AZURE), _azurite(), _free_port()
    path = {"PYTHONPATH": os.pathsep.join([str(packages), *filter(None, [os.environ.get("PYTHONPATH")])])}
    where = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    with _running([*program, *where, "--inMemoryPersistence", "--silent", *QUIET], port, {}):
        variables = path | {"AZURE_STORAGE_CONNECTION_STRING": _connection(port)}
        subprocess.run([sys.executable, "-c", MAKE], env=os.environ | variables, check=True, timeout=START_S)
        yield Server("az", variables)


def _connection(port: int) -> str:
    address = f"http://127.0.0.1:{port}/{ACCOUNT}"
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={address};"


def _installed(pins: tuple[str, ...]) -> Path:
    """Packages beside those of this environment, fetched once."""

    def fetch(to: Path) -> None:
        words = ["install", "--quiet", "--no-deps", "--no-compile", "--only-binary=:all:", "--target", str(to), *pins]
        done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"pip cannot fetch {pins[0]}: {done.stderr.strip()[-300:]}")

    return cache.produce("downloads", {"pip": list(pins)}, fetch, what=pins[0]).path


def _azurite() -> list[str]:
    """The command of Azurite's blob server, fetched once: 54,000 files, so it is no entry, whose files are counted."""
    folder = cache.folder_of("peers") / AZURITE
    if not folder.is_dir():
        partial = folder.with_name(f".{AZURITE}.{os.getpid()}")
        words = [
            "install",
            "--silent",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(partial),
            AZURITE,
        ]
        partial.mkdir()
        try:
            done = subprocess.run(["npm", *words], capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"npm cannot fetch {AZURITE}: {done.stderr.strip()[-300:]}")
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return ["node", str(folder / "node_modules/azurite/dist/src/blob/main.js")]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def _running(command: list[str], port: int, variables: Mapping[str, str]) -> Iterator[None]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=os.environ | variables, stdout=quiet, stderr=quiet)
    try:
        end = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"{' '.join(command[:3])} did not start") from None
                time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()
