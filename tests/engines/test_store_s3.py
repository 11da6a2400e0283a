"""A store at an S3 server: a real server and fsspec's own client, each machine a process with a cache of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from edgekit import store
from tests import needs
from tests.peers import s3

pytestmark = pytest.mark.nightly

URL = f"s3://{s3.BUCKET}/team"
OBJECTS = "import fsspec, json; print(json.dumps(fsspec.filesystem('s3').find('edgekit')))"
DAMAGE = "import fsspec, sys; fsspec.filesystem('s3').pipe_file(sys.argv[1], sys.argv[2].encode())"


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    """The variables of a client."""
    try:
        s3.folder()
    except RuntimeError as error:
        needs.unavailable(str(error))
    with s3.serving() as variables:
        yield variables


class Machines:
    """Processes that know the server, each with an empty cache."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.folder, self.variables, self.numbers = folder, variables, count()

    def run(self, *words: str, stores: str = URL) -> tuple[list[list[object]], str]:
        """What a machine's steps gave, and what it said."""
        more = {"EDGEKIT_CACHE": str(self.folder / str(next(self.numbers))), store.VARIABLE: stores}
        command = [sys.executable, "-m", "tests.engines.s3_machine", *words]
        done = subprocess.run(command, env=os.environ | self.variables | more, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr

    def client(self, program: str, *words: str) -> str:
        """What a line of Python says that is no part of edgekit."""
        command = [sys.executable, "-c", program, *words]
        return subprocess.run(
            command, env=os.environ | self.variables, capture_output=True, text=True, check=True
        ).stdout


@pytest.fixture
def machines(tmp_path: Path, server: dict[str, str]) -> Machines:
    return Machines(tmp_path, server)


def test_what_one_machine_makes_another_takes(machines: Machines) -> None:
    assert machines.run("1", "first")[0] == [["first", False]]
    assert machines.run("1", "second")[0] == [["first", True]]
    (key,) = json.loads(machines.client(OBJECTS))
    assert key.startswith(f"{s3.BUCKET}/team/optimize/") and key.endswith(".tar")

    # A damaged object is made again, and replaced.
    machines.client(DAMAGE, key, "no archive")
    assert machines.run("1", "third")[0] == [["third", False]]
    assert machines.run("1", "fourth")[0] == [["third", True]]

    # A mirror is read and never written.
    assert machines.run("1", "fifth", stores=f"ro+{URL}")[0] == [["third", True]]
    assert machines.run("2", "other", stores=f"ro+{URL}")[0] == [["other", False]]
    assert json.loads(machines.client(OBJECTS)) == [key]


def test_machines_that_make_the_same_at_once(machines: Machines) -> None:
    with ThreadPoolExecutor(4) as pool:
        for made, said in pool.map(lambda text: machines.run("3", text), ("same",) * 4):
            assert made == [["same", made[0][1]]] and "does not answer" not in said
    assert machines.run("3", "late")[0] == [["same", True]]


def test_a_bucket_that_cannot_be_made(machines: Machines) -> None:
    made, said = machines.run("4", "first", "second", stores="s3://no/team")
    assert made == [["first", False], ["first", True]] and said.count("does not answer") == 1


def test_a_server_that_is_not_there(machines: Machines) -> None:
    machines.variables = machines.variables | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    made, said = machines.run("5", "first", "second")
    assert made == [["first", False], ["first", True]] and said.count("does not answer") == 1
