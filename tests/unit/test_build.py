"""When a bundle is "unchanged, nothing to do": what it depends on, and that none of its bytes changed since."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit import build, plan, target
from edgekit.build import Job, Options
from edgekit.bundle import kept
from edgekit.data import digest
from edgekit.inputs.calibration import Calibration
from edgekit.results.metrics import Limit
from edgekit.sources import open_source
from tests.golden import manifests
from tests.unit.bundle import tiny_bundle

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    source = open_source(str(manifests.net(tmp_path / "net.onnx")))
    into = target.load("linux-cpu")
    return Job(source, into, plan.make(source.model, into, recipe="float32"), None, {})


def test_each_thing_that_a_bundle_depends_on_is_in_its_key(job: Job, tmp_path: Path) -> None:
    options = Options(out=tmp_path)
    text, other_text = tmp_path / "a.txt", tmp_path / "b.txt"
    text.write_text("one")
    other_text.write_text("two")
    data = Calibration(form="array", items=2, sha256="1" * 64, calibrate=[{}], evaluate=[{}])
    model = job.source.model
    jobs = [
        replace(job, source=replace(job.source, model=model.model_copy(update={"sha256": "2" * 64}))),
        replace(job, source=replace(job.source, model=model.model_copy(update={"license": "MIT"}))),
        replace(job, target=job.target.model_copy(update={"title": "Another"})),
        replace(job, plan=plan.make(model, job.target, recipe="int8_dynamic")),
        replace(job, calibration=data),
        replace(job, calibration=replace(data, sha256="3" * 64)),
        replace(job, limits={"sqnr_db": Limit(min=30.0)}),
        replace(job, limits={"sqnr_db": Limit(min=31.0)}),
    ]
    keys = [build.key_of(one, options) for one in (job, *jobs)]
    asked: list[dict[str, object]] = [{"quality": "off"}, {"quality": "fast"}, {"text": text}, {"text": other_text}]
    keys += [build.key_of(job, replace(options, **change)) for change in asked]  # type: ignore[arg-type]
    assert len({digest(key) for key in keys}) == len(keys)
    text.write_text("other words")
    assert build.key_of(job, replace(options, text=text)) not in keys


def test_where_it_goes_is_not_in_its_key(job: Job, tmp_path: Path) -> None:
    """The same bundle at another place, or zipped, or asked for again, is the same."""
    known = build.key_of(job, Options(out=tmp_path))
    for change in ({"out": tmp_path / "other"}, {"zip": True}, {"force": True}):
        assert build.key_of(job, replace(Options(out=tmp_path), **change)) == known  # type: ignore[arg-type]


def test_a_bundle_is_unchanged_only_where_every_byte_is_what_this_key_gave(tmp_path: Path) -> None:
    made_of = tiny_bundle.origin(tmp_path / "origin")
    bundle = tmp_path / tiny_bundle.NAME
    key = {"n": 1}
    assert kept.unchanged(bundle, key) is None
    manifest = tiny_bundle.build(bundle, made_of)
    assert kept.unchanged(bundle, key) is None  # it lies there, and nobody knows what made it
    kept.remember(key, manifest)
    assert kept.unchanged(bundle, key) == manifest
    assert kept.unchanged(bundle, {"n": 2}) is None
    data = bundle / "model" / "portable" / "model.onnx.data"
    whole = data.read_bytes()
    data.chmod(0o644)
    data.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    assert kept.unchanged(bundle, key) is None
    data.write_bytes(whole)
    (bundle / "model" / "extra").write_text("x")
    assert kept.unchanged(bundle, key) is None
    (bundle / "model" / "extra").unlink()
    (bundle / "signatures").mkdir()
    (bundle / "signatures" / "release.sig").write_text("signed later: no reason to build again")
    assert kept.unchanged(bundle, key) == manifest
    tiny_bundle.build(bundle, made_of, tiny_bundle.draft(tools={"onnx": "another"}))
    assert kept.unchanged(bundle, key) is None  # whole, and another key's


def bound(node: ast.AST) -> Iterator[str]:
    """Every name that a function gives a value, as often as it does; a comprehension's own names are not its."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield child.id
        if isinstance(child, ast.AugAssign) and isinstance(child.target, ast.Name):
            yield child.target.id
        if not isinstance(child, ast.comprehension):
            yield from bound(child)


def test_a_build_is_one_straight_line() -> None:
    """Each step takes the result of the one before: no name means two things, and nothing is changed afterwards."""
    tree = ast.parse(Path(build.__file__).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    names = {function.name: Counter(bound(function)) for function in functions}
    twice = [f"{function}: {name}" for function, count in names.items() for name in count if count[name] > 1]
    assert len(functions) > 10 and twice == []
    assert all((one.end_lineno or 0) - one.lineno < 60 for one in functions)
    assert "model_copy" not in Path(build.__file__).read_text(encoding="utf-8")
    assert list(bound(ast.parse("a = 1\nfor b in [c for c in d]:\n    a += 1"))) == ["a", "b", "a", "a"]
