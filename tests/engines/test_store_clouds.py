"""A store at Google's and at Azure's servers: an emulator of each, and fsspec's own client for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import needs
from tests.engines.test_store_s3 import Machines
from tests.peers import clouds
from tests.peers.clouds import BUCKET, Server

pytestmark = pytest.mark.nightly

OBJECTS = "import fsspec, json, sys; print(json.dumps(fsspec.filesystem(sys.argv[1]).find(sys.argv[2])))"
DAMAGE = "import fsspec, sys; fsspec.filesystem(sys.argv[1]).pipe_file(sys.argv[2], b'no archive')"


@pytest.fixture(scope="module", params=[clouds.google, clouds.azure], ids=["google", "azure"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with ExitStack() as stack:
        try:
            running = stack.enter_context(request.param())
        except (RuntimeError, FileNotFoundError) as error:
            needs.unavailable(str(error))
        yield running


def test_what_one_machine_makes_another_takes(tmp_path: Path, server: Server) -> None:
    machines, url = Machines(tmp_path, dict(server.variables)), f"{server.protocol}://{BUCKET}/team"
    assert machines.run("1", "first", stores=url)[0] == [["first", False]]
    assert machines.run("1", "second", stores=url)[0] == [["first", True]]
    (key,) = json.loads(machines.client(OBJECTS, server.protocol, BUCKET))
    assert key.startswith(f"{BUCKET}/team/optimize/") and key.endswith(".tar")

    # A damaged object is made again, and replaced; a mirror is read and never written.
    machines.client(DAMAGE, server.protocol, key)
    assert machines.run("1", "third", stores=url)[0] == [["third", False]]
    assert machines.run("1", "fourth", stores=f"ro+{url}")[0] == [["third", True]]
    assert machines.run("2", "other", stores=f"ro+{url}")[0] == [["other", False]]
    assert json.loads(machines.client(OBJECTS, server.protocol, BUCKET)) == [key]


def test_machines_that_make_the_same_at_once(tmp_path: Path, server: Server) -> None:
    machines, url = Machines(tmp_path, dict(server.variables)), f"{server.protocol}://{BUCKET}/team"
    with ThreadPoolExecutor(3) as pool:
        for made, said in pool.map(lambda text: machines.run("3", text, stores=url), ("same",) * 3):
            assert made == [["same", made[0][1]]] and "does not answer" not in said
    assert machines.run("3", "late", stores=url)[0] == [["same", True]]


def test_a_bucket_that_is_not_there(tmp_path: Path, server: Server) -> None:
    machines = Machines(tmp_path, dict(server.variables))
    made, said = machines.run("4", "first", "second", stores=f"{server.protocol}://another/team")
    assert made == [["first", False], ["first", True]] and said.count("does not answer") == 1
