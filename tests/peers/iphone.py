"""An iPhone for tests: a program that answers as `xcrun devicectl` does, and the sample app's check mode.

    python iphone.py FOLDER APP devicectl ...

APP is edgekit-runner: what runs is `APP --app CONTAINER REQUEST`, which calls the function that the app on an iPhone
calls (edgekit_check). FOLDER has devices.json (what `list devices` writes, in the form of Xcode 15) and container/, the
app's. The options are those of `xcrun devicectl help`. Faults are files in FOLDER: "hang" (the app never ends), "crash"
(no outcome), "flip" (the first file of every copy is changed), "not-installed", "full".
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

UDID = "00008110-000A1D0E3C82801E"
DEVICE = {
    "identifier": "5F7B6B0E-6C0B-4B8B-9B0E-0D9F5C3C1A11",
    "hardwareProperties": {
        "udid": UDID,
        "platform": "iOS",
        "productType": "iPhone15,4",
        "marketingName": "iPhone 15",
        "hardwareModel": "D37AP",
        "cpuType": {"name": "arm64e"},
        "reality": "physical",
    },
    "deviceProperties": {"name": "a phone", "osVersionNumber": "18.1", "developerModeStatus": "enabled"},
    "connectionProperties": {"pairingState": "paired", "tunnelState": "disconnected", "transportType": "wired"},
}


def make(folder: Path, bin_folder: Path, app: Path) -> None:
    """Lay the phone out, and a program `xcrun` for PATH. app: edgekit-runner, with the engines beside it."""
    (folder / "container").mkdir(parents=True)
    (folder / "devices.json").write_text(json.dumps({"result": {"devices": [DEVICE]}}))
    bin_folder.mkdir(parents=True, exist_ok=True)
    program = bin_folder / "xcrun"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "{folder}" "{app}" "$@"\n')
    program.chmod(0o755)


def main() -> int:
    """Do what one command line of xcrun asks for."""
    folder, app, tool, *words = Path(sys.argv[1]), *sys.argv[2:]
    if tool != "devicectl":
        return 72
    if words[:2] == ["list", "devices"]:
        Path(words[words.index("--json-output") + 1]).write_text((folder / "devices.json").read_text())
        return 0
    if words[:2] == ["device", "copy"]:
        return _copy(folder, words[2], words[3:])
    return _launch(folder, app, words[3:])


def _copy(folder: Path, way: str, words: list[str]) -> int:
    parser = argparse.ArgumentParser()
    for name in ("device", "domain-type", "domain-identifier", "source", "destination"):
        parser.add_argument(f"--{name}", required=True)
    asked = parser.parse_args(words)
    container = folder / "container"
    if way == "from":
        source = container / asked.source
        if not source.exists():
            sys.stderr.write("ERROR: The specified file could not be found.\n")
            return 1
        shutil.copy(source, asked.destination)
        return 0
    if (folder / "full").exists():
        sys.stderr.write("ERROR: No space left on device\n")
        return 1
    destination = container / asked.destination
    shutil.copytree(asked.source, destination, dirs_exist_ok=True)
    if (folder / "flip").exists() and "bundles" in asked.destination:
        first = sorted(path for path in destination.rglob("*") if path.is_file())[0]
        first.write_bytes(b"?" + first.read_bytes()[1:])
    return 0


def _launch(folder: Path, app: str, words: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--console", action="store_true")
    parser.add_argument("--terminate-existing", action="store_true")
    parser.add_argument("--device", required=True)
    parser.add_argument("app")
    parser.add_argument("--edgekit-check", required=True)
    asked = parser.parse_args(words)
    if (folder / "not-installed").exists():
        sys.stderr.write(f"ERROR: The application {asked.app} is not installed.\n")
        return 1
    container = folder / "container"
    request = json.loads((container / asked.edgekit_check).read_text())
    sys.stdout.write("Launched application.\n")
    sys.stdout.flush()
    if request["action"] not in ("hash", "remove"):
        if (folder / "hang").exists():
            time.sleep(600)
        if (folder / "crash").exists():
            sys.stderr.write("App terminated due to signal 9.\n")
            return 1
    return subprocess.run([app, "--app", container, asked.edgekit_check], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
