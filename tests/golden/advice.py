"""Every error of edgekit as a page: what it says, what it advises, and what kind of advice that is. Read from the code.

A text is what the code writes, with {names} where it fills something in; of several, all. An advice is a `command` (it
names one of edgekit's commands or options), an `edit` (it names a file or a key of one), or else a `circumstance`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "edgekit"
EDITS = re.compile(
    r"\w+\.(json|toml|jinja)\b|\b[a-z]+_[a-z_]+\b|\bcards?\b|\bprofile\b|\bin the target\b|\btarget of your own\b"
)
COMMAND = re.compile(r"\bedgekit ([a-z]+)\b")
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")
FOREIGN = re.compile(
    r"\b(optimum-cli|pip install|apt-get install|llama-gguf-split|cmake|python -m|adb|xcrun|hf auth)\b[^;,)]*"
)
NAMES = {"Finding", "EnergyRun", "Answer"}  # have a next step, and are no errors


@dataclass(frozen=True)
class Advice:
    """One place that raises: its module, the error's class, what it says and advises."""

    module: str
    error: str
    message: str
    next: str

    @property
    def own(self) -> str:
        """The advice without the commands of other programs."""
        return FOREIGN.sub("", self.next)

    @property
    def kind(self) -> str:
        """command, edit or circumstance."""
        if OPTION.search(self.own) or COMMAND.search(self.own):
            return "command"
        return "edit" if EDITS.search(re.sub(r"\{[^}]*\}", "", self.own)) else "circumstance"


@cache
def tree(path: Path) -> ast.Module:
    """A module, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def everywhere() -> tuple[Advice, ...]:
    """What every module of edgekit advises, in the order of its text."""
    return tuple(advice for path in sorted(PACKAGE.rglob("*.py")) for advice in _Reader(path).advices())


def page() -> dict[str, str]:
    """The page, as a golden file."""
    lines = ["# What errors say, and what they advise", "", "Written by `make golden` from the code."]
    module = ""
    for advice in everywhere():
        if advice.module != module:
            module = advice.module
            lines += ["", f"## {module}", ""]
        lines += [f"- {advice.error}: {advice.message}", f"  - {advice.kind}: {advice.next}"]
    return {"advice/next.md": "\n".join([*lines, ""])}


class _Reader:
    """One module's text: its constants, also those that it imports from edgekit, and the errors that it makes."""

    def __init__(self, path: Path) -> None:
        self.module = path.relative_to(PACKAGE).as_posix()
        self.tree = tree(path)
        self.constants = _constants(path)

    def advices(self) -> Iterator[Advice]:
        calls = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
            error = ast.unparse(call.func).rpartition(".")[2]
            step = next((word.value for word in call.keywords if word.arg == "next"), None)
            if step is None and error in ("LimitError", "Refused") and len(call.args) > 1:
                step = call.args[1]
            if step is None or not call.args or error in NAMES or error == "__init__":
                continue
            yield Advice(self.module, error, _line(self.text(call.args[0])), _line(self.text(step)))
        for name in ("ADVICE", "INSTEAD"):
            if self.module.startswith("quality/") and name in self.constants:
                value = self.constants[name]
                several = (
                    list(zip(value.keys, value.values, strict=True)) if isinstance(value, ast.Dict) else [(None, value)]
                )
                for cause, words in several:
                    when = f", where it is {self.text(cause)}" if cause is not None else ""
                    yield Advice(
                        self.module, "QualityError", f"{{a metric of this gate}}{when}", _line(self.text(words))
                    )

    def text(self, node: ast.AST) -> str:
        """What an expression writes."""
        match node:
            case ast.Constant():
                return str(node.value)
            case ast.JoinedStr():
                return "".join(map(self.text, node.values))
            case ast.FormattedValue(value=ast.Name() as name) if name.id in self.constants:
                return self.text(name)
            case ast.FormattedValue():
                return "{" + ast.unparse(node.value) + "}"
            case ast.Name() if node.id in self.constants:
                return self.text(self.constants[node.id])
            case ast.Attribute() if ast.unparse(node) in self.constants:
                return self.text(self.constants[ast.unparse(node)])
            case ast.IfExp():
                return f"{self.text(node.body)} | {self.text(node.orelse)}"
            case ast.BinOp(op=ast.Add()):
                return self.text(node.left) + self.text(node.right)
        return "{" + ast.unparse(node) + "}"


@cache
def _constants(path: Path) -> dict[str, ast.expr]:
    """Names of a module that stand for texts: its own, and those that it imports from other modules of edgekit."""
    names: dict[str, ast.expr] = {}
    for node in tree(path).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("edgekit"):
            for name in node.names:
                whole = _file(f"{node.module}.{name.name}")
                if whole is not None and whole != path:
                    theirs = _own(whole)
                    names |= {f"{name.asname or name.name}.{key}": value for key, value in theirs.items()}
                elif (source := _file(str(node.module))) is not None and name.name in (theirs := _own(source)):
                    names[name.asname or name.name] = theirs[name.name]
    return names | _own(path)


@cache
def _own(path: Path) -> dict[str, ast.expr]:
    pairs = [(node.targets[0], node.value) for node in tree(path).body if isinstance(node, ast.Assign)]
    return {
        target.id: value
        for target, value in pairs
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant | ast.JoinedStr | ast.BinOp | ast.Dict)
    }


def _file(module: str) -> Path | None:
    place = PACKAGE.parent / module.replace(".", "/")
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def _line(text: str) -> str:
    return " ".join(text.split())
