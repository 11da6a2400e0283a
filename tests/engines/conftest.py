"""Small real bundles, and a device that runs them in this very process: the real runtime without its start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edgekit.contract.manifest import Manifest
from edgekit.devices import Tell
from edgekit.devices._reader import LocalReader
from edgekit.errors import from_code
from edgekit.kinds import Runs, Trials, WarmUp
from edgekit.kinds.llm import LlmBench
from edgekit.kinds.tensor import TensorBench
from edgekit.reading import Reader
from edgekit.results.measurement import Evidence
from edgekit.wrappers.python import __main__ as runtime
from edgekit.wrappers.python.manifest import Refused
from tests.engines.wrappers.small_bundles import seal_llm, seal_tensor


class Here:
    """A device: bundles are opened in this process.

    Attributes:
        acts: what was done, in its order: (bundle's name, action).
        changes: by action, keys of its outcome to replace: what a slower or hotter machine would say.
    """

    address = "here"

    def __init__(self, root: Path, evidence: Evidence = "host") -> None:
        self.root, self.kind = root, evidence
        self.acts: list[tuple[str, str]] = []
        self.changes: dict[str, Any] = {}

    @contextmanager
    def session(self, bundle: Path, manifest: Manifest, *, trust: bool = False) -> Iterator[Here.Session]:
        """See Device.session."""
        yield Here.Session(self, bundle)

    def evidence(self, facts: Mapping[str, Any]) -> Evidence:
        """See Device.evidence."""
        return self.kind

    def reader(self) -> Reader:
        """A machine without sensors: an empty folder."""
        return LocalReader(self.root, path=str(self.root))

    class Session:
        """See devices.Session."""

        runtime = "edgekit's own"

        def __init__(self, device: Here, bundle: Path) -> None:
            self._device, self._bundle = device, bundle

        def act(self, action: str, request: Mapping[str, Any], *, timeout: float, tell: Tell) -> dict[str, Any]:
            """See devices.Session.act."""
            self._device.acts.append((self._bundle.name, action))
            full = {"action": action, "bundle": str(self._bundle), **request}
            try:
                found = runtime.act(full, lambda kind, **fields: tell(str(fields.get("text", ""))))
            except Refused as error:
                raise from_code(error.code, str(error), error.next) from None
            if action == "bench":  # this process does other things too, and others do on this machine
                found["watch"]["other_cores_mean"] = 0.0
                found["warmup"] = found["warmup"] and {**found["warmup"], "steady": True}
            return {**found, **self._device.changes.get(action, {})}


@pytest.fixture(scope="session")
def llm_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model of one layer: its max_length is 128."""
    return seal_llm(tmp_path_factory.mktemp("llm"))


@pytest.fixture(scope="session")
def tensor_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net of two layers."""
    return seal_tensor(tmp_path_factory.mktemp("tensor"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    """A device, and plans that take milliseconds."""
    short = WarmUp(min_runs=1, min_s=0, window=2, max_cv=10, max_slope=10, max_s=0.1)
    runs, trials = Runs(min=20, min_s=0, max_s=1), Trials(min=2, max=2)
    monkeypatch.setattr(TensorBench, "turn", lambda bench: bench.but(warmup=short, runs=runs))
    monkeypatch.setattr(LlmBench, "turn", lambda bench: bench.but(warmup=short, trials=trials))
    (tmp_path / "root").mkdir()
    return Here(tmp_path / "root")
