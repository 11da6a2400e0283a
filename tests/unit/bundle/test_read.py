"""Manifests from anybody: what is read, and what is refused with one line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgekit.bundle.read import MAX_BYTES, parse, read
from edgekit.contract.manifest import Manifest, Quality, seal_digest, subject
from edgekit.data import pretty
from edgekit.errors import BundleError
from edgekit.results.measurement import Measurement
from edgekit.wrappers.python.strict import MAX_NESTING
from tests import needs
from tests.unit.bundle.tiny_bundle import NAME, PASS, build, draft

pytestmark = pytest.mark.unit
Json = dict[str, Any]


def resealed(data: Json) -> bytes:
    """The manifest's bytes with a digest that is right: whoever can write a manifest can do that."""
    return pretty(data | {"sha256": seal_digest(data)}).encode()


@pytest.fixture
def data(sealed: Path) -> Json:
    found: Json = json.loads((sealed / "edgekit.json").read_text(encoding="utf-8"))
    return found


def refused(raw: bytes, **options: bool) -> str:
    """The message with which these bytes are refused: always one line, always with a next step."""
    with pytest.raises(BundleError) as caught:
        parse(raw, **options)
    assert caught.value.next
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 600
    return caught.value.message


def test_a_sealed_manifest_is_read_as_it_was_written(sealed: Path) -> None:
    manifest = read(sealed, strict=True)
    assert manifest.model_copy(update={"files": (), "sha256": ""}) == Manifest(**dict(draft()), quality=dict(PASS))
    assert [file.path for file in manifest.files] == sorted(file.path for file in manifest.files)
    assert {file.role for file in manifest.files} == {"model", "check", "runtime", "license"}
    assert {file.variant for file in manifest.files if file.role == "model"} == {"portable"}


def test_a_metric_that_was_not_measured_survives(tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    missing = Measurement(metric="kl_mean", value=None, evidence="host", reason="no reference")
    quality = Quality(verdict="not-measured", mode="fast", measurements=(missing,))
    build(tmp_path / NAME, made_of, draft(), {"portable": quality})
    assert read(tmp_path / NAME).quality == {"portable": quality} and read(tmp_path / NAME).judged == quality


def test_the_same_build_gives_the_same_bytes(sealed: Path, tmp_path: Path, made_of: tuple[Path, Path]) -> None:
    build(tmp_path / NAME, made_of)
    assert (tmp_path / NAME / "edgekit.json").read_bytes() == (sealed / "edgekit.json").read_bytes()


def test_no_bundle_is_one_line_each(tmp_path: Path) -> None:
    for path, word in ((tmp_path / "none", "no such folder"), (tmp_path, "has no edgekit.json")):
        with pytest.raises(BundleError, match=word):
            read(path)


@needs.pipes
def test_a_pipe_as_manifest_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "edgekit.json")
    with pytest.raises(BundleError, match="has no edgekit"):
        read(tmp_path)


def test_a_manifest_of_100_mb_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "edgekit.json").open("wb") as stream:
        stream.write(b'{"a": "')
        stream.truncate(100 * 2**20)
    with pytest.raises(BundleError, match="larger than 8 MiB"):
        read(tmp_path)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_manifest_nested_a_million_deep_is_refused(opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    assert "deeper than 64" in refused((opening * 10**6 + "1" + closing * 10**6).encode())
    assert "do not close" in refused((opening * 10**6).encode())


def test_the_nesting_limit_is_exact(data: Json) -> None:
    def nested(depth: int) -> Any:
        return 1 if depth == 0 else [nested(depth - 1)]

    assert parse(resealed(data | {"platform": {"deep": nested(MAX_NESTING - 2)}})).platform
    assert "deeper" in refused(resealed(data | {"platform": {"deep": nested(MAX_NESTING - 1)}}))


def test_brackets_and_quotes_in_strings_do_not_count(data: Json) -> None:
    text = '[[["{\\' * 2000
    assert parse(resealed(data | {"platform": {"note": text}})).platform == {"note": text}


def test_a_string_that_never_ends_takes_no_time_to_refuse() -> None:
    refused(b'{"a": "' + b'\\"' * (MAX_BYTES // 2 - 10))  # hours, were the scan quadratic


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"{} {}", "not valid JSON"),
        (b'{"format": "1.0-draft", "format": "1.0-draft"}', "stands twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"format": "1.0-draft", "a": 1e999}', "larger than a double"),
        (b'{"format": "1.0-draft", "a": "\\ud800"}', "half a surrogate"),
        (b'{"format": "1.0-draft", "a": ' + b"9" * 5000 + b"}", "larger than a double"),
        (b"{}", "no format"),
        (b'{"format": 1}', "no format"),
        (b'{"format": null}', "no format"),
        (b'{"format": ["1.0-draft"]}', "no format"),
        (b'{"format": "1.0-draft", "requires": "x"}', "not a list"),
        (b'{"format": "1.0-draft", "sha256": ""}', "never sealed"),
        (b'{"format": "1.0-draft"}', "changed after it was sealed"),
    ],
)
def test_what_is_no_manifest_is_refused(raw: bytes, word: str) -> None:
    assert word in refused(raw)


@pytest.mark.parametrize(
    "other", ["2.0", "1.0", "1.1-draft", "1.0-draft2", "0.9", "", "1.0-draft\n", "\x1b[2J", "x" * 999]
)
def test_a_reader_takes_exactly_its_own_draft(data: Json, other: str) -> None:
    for changed in ({"format": other}, {"format": other, "files": "of another form"}):
        with pytest.raises(BundleError, match=r"this edgekit reads '1\.0-draft' alone") as caught:
            parse(resealed(data | changed))
        assert "rebuild this bundle" in caught.value.next and caught.value.exit_code == 6
        assert caught.value.message.isprintable() and len(caught.value.message) < 250


def test_a_feature_that_this_reader_lacks_is_named(data: Json) -> None:
    assert "'lora'" in refused(resealed(data | {"requires": ["lora"]}))


def test_unknown_keys_are_ignored_at_run_time_and_refused_when_strict(data: Json) -> None:
    newer = data | {"tolls": {"x": 1}, "source": data["source"] | {"mirror": "x"}}
    assert parse(resealed(newer)).name == NAME
    assert "'tolls'; did you mean 'tools'?" in refused(resealed(data | {"tolls": {}}), strict=True)
    assert "'source.mirror'" in refused(resealed({k: v for k, v in newer.items() if k != "tolls"}), strict=True)


def test_a_change_without_a_new_digest_is_seen(data: Json) -> None:
    assert "changed after it was sealed" in refused(pretty(data | {"name": "other"}).encode())
    for digest in (None, "0" * 64, data["sha256"].upper()):
        assert "changed after it was sealed" in refused(pretty(data | {"sha256": digest}).encode())
    without = {key: value for key, value in data.items() if key != "sha256"}
    assert "changed after it was sealed" in refused(pretty(without).encode())
    assert "never sealed" in refused(pretty(data | {"sha256": ""}).encode())


def with_file(data: Json, **changes: Any) -> Json:
    """The manifest with its model file changed."""
    files = [file | changes if file["path"].endswith(".onnx") else file for file in data["files"]]
    return data | {"files": files}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda data: with_file(data, path="../../etc/passwd"), "'..'"),
        (lambda data: with_file(data, path="/etc/passwd"), "absolute"),
        (lambda data: with_file(data, path="C:/x"), "colon"),
        (lambda data: with_file(data, path="model\\portable\\x"), "backslash"),
        (lambda data: with_file(data, path="model/portable/nul"), "device"),
        (lambda data: with_file(data, path="model/portable/LABELS.txt"), "the same to some file systems"),
        (lambda data: with_file(data, path="edgekit.json"), "the same to some file systems"),
        (lambda data: with_file(data, path="elsewhere/model.onnx"), "does not lie where"),
        (lambda data: with_file(data, role="runtime"), "does not lie where"),
        (lambda data: with_file(data, variant="other"), "does not lie where"),
        (lambda data: with_file(data, path="model/other/model.onnx", variant="other"), "does not lie where"),
        (lambda data: with_file(data, size=-1), "impossible"),
        (lambda data: with_file(data, size=2**60), "impossible"),
        (lambda data: with_file(data, sha256="A" * 64), "impossible"),
        (lambda data: data | {"name": "../x"}, "'..'"),
        (lambda data: data | {"name": "a/b"}, "slash"),
        (lambda data: data | {"name": "a\x1b[2Jb"}, "not safe"),
        (
            lambda data: data | {"variants": [data["variants"][0] | {"path": "model/portable/none.onnx"}]},
            "no file",
        ),
        (lambda data: data | {"variants": [data["variants"][0] | {"path": "../model"}]}, "'..'"),
        (lambda data: data | {"variants": data["variants"] * 2}, "the same to some file systems"),
        (
            lambda data: data | {"contract": data["contract"] | {"labels": "/etc/passwd"}},
            "not among its files",
        ),
        (lambda data: data | {"contract": {"kind": "\x1b[2J"}}, "contract"),
        (lambda data: data | {"files": {}}, "files"),
    ],
)
def test_a_hostile_manifest_with_a_right_digest_is_refused(
    data: Json, change: Callable[[Json], Json], word: str
) -> None:
    message = refused(resealed(change(data)))
    assert word in message
    assert message.isprintable()


# A document that is valid until one value in it becomes something else: deeper than random bytes ever get.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["../x", "1.0", 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def _places(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [at] + [place for key, value in inner for place in _places(value, (*at, key))]


def _put(data: Any, at: tuple[Any, ...], value: Any) -> Any:
    if not at:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[at[0]] = _put(data[at[0]], at[1:], value)
    return copy


def only_bundle_errors(raw: bytes) -> None:
    try:
        assert isinstance(parse(raw), Manifest)
    except BundleError as error:
        assert "\n" not in error.message


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(where=st.integers(min_value=0), value=VALUES)
@example(where=0, value=[])
def test_fuzz_any_value_in_a_sealed_manifest(data: Json, where: int, value: Any) -> None:
    places = _places(data)
    changed = _put(data, places[where % len(places)], value)
    try:
        raw = resealed(changed) if isinstance(changed, dict) else json.dumps(changed).encode()
    except ValueError:  # what JSON cannot hold, as Python writes it
        raw = json.dumps(changed).encode()
    only_bundle_errors(raw)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(where=st.integers(min_value=0), length=st.integers(0, 40), put=st.binary(max_size=40))
def test_fuzz_the_bytes(sealed: Path, where: int, length: int, put: bytes) -> None:
    raw = (sealed / "edgekit.json").read_bytes()
    at = where % len(raw)
    only_bundle_errors(raw[:at] + put + raw[at + length :])


def test_quality_is_of_variants_that_there_are(data: Json) -> None:
    (quality,) = data["quality"].values()
    assert "of the variant 'sm8650'" in refused(resealed(data | {"quality": data["quality"] | {"sm8650": quality}}))
    adapted = subject("portable", "polite")
    assert adapted == "portable/polite" and subject("portable") in data["quality"]
    assert f"of the variant {adapted!r}" in refused(resealed(data | {"quality": {adapted: quality}}))
    assert parse(resealed(data | {"quality": {}})).judged.verdict == "not-measured"
    assert refused(resealed(data | {"quality": quality}))  # as it was before it was keyed
