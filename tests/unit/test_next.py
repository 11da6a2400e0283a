"""What errors advise can be done: commands parse and run, recipes exist, and something reads the keys named."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator

import click
import pytest

from edgekit import commands, recipes
from edgekit.schemas import MODELS
from tests.golden import advice
from tests.golden.advice import OPTION, PACKAGE, Advice
from tests.golden.text import FOLDER

pytestmark = pytest.mark.unit

# What follows edgekit's name where a sentence goes on.
PROSE = re.compile(r"(build (wrote|cuts|replaces)|check wrote|cuts|does|kept|reads|runs)\b")
KEY = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
OURS = re.compile(r"\b(targets?|profile|cards?|edgekit\.toml)\b")
TABLE = re.compile(r"\[([a-z]+(?:\.[a-z]+)*)\]")
VARIABLE = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b")
OTHERS = {"PIP_INDEX_URL", "PIP_FIND_LINKS", "HF_ENDPOINT", "HF_TOKEN"}  # pip's and the hub's own
ELSEWHERE = {  # functions and folders of other programs
    *("save_pretrained", "merge_and_unload", "safe_serialization", "save_model", "save_as_external_data"),
    *("create_model", "mobile_samples"),
}
# Commands that say what they do without a bundle, a model or a network; the others are parsed alone.
HARMLESS = re.compile(r"--help|models( smollm2-135m-instruct)?|targets( schema)?|init --schema|.* --help")
CLI = commands.cli


def options(command: click.Command) -> set[str]:
    """The long options of a command and of those below it."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    own = {word.removeprefix("--") for parameter in command.params for word in parameter.opts if word.startswith("--")}
    return own.union({"help"}, *map(options, below))


def plain(each: Advice) -> str:
    return re.sub(r"\{[^{}]*\}", "{}", each.own)


def lines(each: Advice) -> Iterator[str]:
    """The command lines in an advice, without edgekit's name."""
    for piece in re.split(r"\bedgekit (?=[a-z-])", plain(each))[1:]:
        if not PROSE.match(piece):
            ends = r"[;:,)]\s|[;:,)]$| lists| shows| says| prints| names| removes| without| plans|\bthen\b"
            yield re.split(ends, piece)[0].strip(" .)")


def test_there_are_as_many_as_there_are_errors() -> None:
    kinds = {kind: [each for each in advice.everywhere() if each.kind == kind] for kind in ("command", "edit")}
    assert len(advice.everywhere()) > 600 and len(kinds["command"]) > 100 and len(kinds["edit"]) > 40


def test_a_command_that_is_advised_is_parsed(subtests: pytest.Subtests) -> None:
    for line in {line for each in advice.everywhere() for line in lines(each)}:
        with subtests.test(line=line):
            name, *words = shlex.split(line)
            if name.startswith("--"):
                assert name.removeprefix("--") in options(CLI)
                continue
            command = CLI.get_command(click.Context(CLI), name)
            assert command is not None, name
            assert {named[1] for named in OPTION.finditer(line)} <= options(command)
            if len(words) > 1 and "{}" not in line and "..." not in line and "--help" not in words:
                command.make_context(name, words)


def test_an_option_that_is_advised_is_some_commands() -> None:
    known = set().union(*(options(CLI.get_command(click.Context(CLI), name)) for name in commands.names()))  # type: ignore[arg-type]
    for each in advice.everywhere():
        assert {named[1] for named in OPTION.finditer(plain(each))} <= known, each


def test_a_recipe_that_is_advised_exists() -> None:
    for each in advice.everywhere():
        for named in re.findall(r"--recipe ([a-z]\w*)", plain(each)):
            assert named == "auto" or recipes.load(named).name == named


def test_a_key_that_is_advised_is_one_that_something_reads() -> None:
    """A word with an underscore stands in edgekit's code outside its advices: as a text, a field or an argument."""
    known = {word for path in PACKAGE.rglob("*.py") for word in _names(advice.tree(path))}
    for each in advice.everywhere():
        words = re.sub(r"\{[^{}]*\}|https?:\S+", "", each.own)
        assert set(KEY.findall(words)) - ELSEWHERE <= known, each
        named = set(VARIABLE.findall(re.sub(r"\bedgekit [^;,]*", "", words)))  # without what stands for a bundle
        assert named - OTHERS <= known, each


def test_a_key_of_our_own_files_that_is_advised_is_in_its_schema() -> None:
    """Of a card, a target or a project: what the advice names is a property there, a table with its key."""
    asked = []
    for each in advice.everywhere():
        words = re.sub(r"\{[^{}]*\}", "", each.own)
        if OURS.search(words):
            asked += [(each, key) for key in (*KEY.findall(words), *TABLE.findall(words))]
    assert len(asked) >= 4
    schemas = [_properties(model.model_json_schema()) for model in MODELS.values()]
    for each, key in asked:
        assert any(set(key.split(".")) <= properties for properties in schemas), (each, key)


def _properties(schema: object) -> set[str]:
    """The names of all properties of a schema, at any depth."""
    if isinstance(schema, dict):
        own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
        return own.union(*map(_properties, schema.values()))
    return set().union(*map(_properties, schema)) if isinstance(schema, list) else set()


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if " " not in text:
                yield from (text, *text.split("."))
            case ast.arg(arg=text) | ast.AnnAssign(target=ast.Name(id=text)):
                yield text


def test_a_command_that_is_advised_ends_well(subtests: pytest.Subtests, capsys: pytest.CaptureFixture[str]) -> None:
    whole = {line for each in advice.everywhere() for line in lines(each) if re.fullmatch(r"[a-z0-9 .-]+", line)}
    ran = [line for line in sorted(whole) if HARMLESS.fullmatch(line)]
    assert len(ran) > 5
    for line in ran:
        with subtests.test(line=line):
            assert commands.main(line.split()) == 0
            assert capsys.readouterr().out


def test_the_page_lists_the_errors_of_the_code() -> None:
    """`make golden` writes it; a message that was worded anew since is no reason to stop a change."""
    page = (FOLDER / "advice" / "next.md").read_text(encoding="utf-8")
    every = advice.everywhere()
    missing = [each for each in every if f"- {each.error}: {each.message}\n  - {each.kind}: {each.next}\n" not in page]
    assert len(missing) < len(every) / 20, "write it anew with `make golden`, and review the diff"
