"""Each model of a project for each of its targets, with the options that hold for the two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import kinds, target
from edgekit.build import Options
from edgekit.data import nearest
from edgekit.errors import UsageError
from edgekit.predict.effort import of_environment
from edgekit.project.file import Choices, ModelEntry, Project, targets_of
from edgekit.results import metrics
from edgekit.results.metrics import Limit
from edgekit.target import Target


@dataclass(frozen=True)
class Pair:
    """One bundle of the project.

    Attributes:
        model: the name that the project gives it.
        ref: its source, as sources.open_source takes it from any folder.
        target: with the project's budget.
        options: as a build takes them.
        device: that checks the bundle; empty where none is named.
    """

    model: str
    ref: str
    target: Target
    options: Options
    device: str = ""

    @property
    def name(self) -> str:
        """For people and for the lock."""
        return f"{self.model}/{self.target.name}"

    @property
    def bundle(self) -> Path:
        """The folder of its bundle."""
        return self.options.out / f"{self.model}-{self.target.name}"


def of(project: Project, home: Path, *, out: Path | None = None) -> list[Pair]:
    """The pairs of a project whose file lies in the folder `home`, in the file's order.

    Args:
        out: instead of the project's folder for bundles.

    Raises:
        TargetError: a target that is unknown or wrong.
        UsageError: two targets of one name.
    """
    folder = out if out is not None else home / project.out
    pairs = [
        _pair(project, name, entry, word, home, folder)
        for name, entry in project.models.items()
        for word in targets_of(project, entry)
    ]
    names = [pair.name for pair in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"two targets give the bundle {twice}", next="give your own target a name of its own")
    return pairs


def selected(pairs: Sequence[Pair], only: Iterable[str]) -> list[Pair]:
    """Those of the pairs that one of `only` names; all of them without one.

    Args:
        only: each "model=NAME", "target=NAME" or both with a comma between them.

    Raises:
        UsageError: in another form, or of nothing in the project.
    """
    wanted = [_wanted(word, pairs) for word in only]
    chosen = [pair for pair in pairs if not wanted or any(_fits(pair, each) for each in wanted)]
    if not chosen:
        raise UsageError(
            "--only leaves no pair to build", next=f"the pairs are: {', '.join(pair.name for pair in pairs)}"
        )
    return chosen


def _wanted(word: str, pairs: Sequence[Pair]) -> dict[str, str]:
    wanted = dict(part.partition("=")[::2] for part in word.split(","))
    known = {"model": [pair.model for pair in pairs], "target": [pair.target.name for pair in pairs]}
    for key, value in wanted.items():
        if key not in known or not value:
            raise UsageError(f"--only {word!r} is not of the form model=NAME,target=NAME", next="write one, or both")
        if value not in known[key]:
            names = list(dict.fromkeys(known[key]))
            raise UsageError(
                f"--only: the project has no {key} {value!r}{nearest(value, names)}", next=f"one of: {', '.join(names)}"
            )
    return wanted


def _fits(pair: Pair, wanted: dict[str, str]) -> bool:
    return all({"model": pair.model, "target": pair.target.name}[key] == value for key, value in wanted.items())


def _pair(project: Project, name: str, entry: ModelEntry, word: str, home: Path, folder: Path) -> Pair:
    own = entry.on.get(word, Choices())
    written = own.model_fields_set
    both = {key: getattr(own if key in written else entry, key) for key in Choices.model_fields}
    limits, budget = entry.limits | own.limits, entry.budget | own.budget
    options = Options(
        out=folder,
        recipe=_path(both["recipe"], home, ".py"),
        calibration=_beside(both["calibration"], home),
        labels=_beside(both["labels"], home),
        text=_beside(both["text"], home),
        inputs=both["inputs"],
        quality=both["quality"] or "default",
        limits=words_of(limits),
        adapters=tuple(f"{name}={_beside(path, home)}" for name, path in both["adapters"].items()),
        merge_adapter=bool(both["merge_adapter"]),
        task=entry.task,
        trust_remote_code=entry.trust_remote_code,
        accept_source=entry.accept_source,
        own_inputs=entry.own_inputs,
        keep_metadata=entry.keep_metadata,
        require_ep=bool(both["require_ep"]),
        zip=project.zip,
    )
    profile = budgeted(target.load(_path(word, home, ".toml") or word), budget)
    asked = {key: both[key] for key in ("size", "cache_bits")}
    profile = tuned(profile, **asked, effort=both["effort"] or of_environment())
    return Pair(name, _ref(entry.source, home), profile, options, project.devices.get(word, ""))


def budgeted(profile: Target, budget: dict[str, Limit]) -> Target:
    """A target whose budget is also this one, in the table of each kind of model that has such a metric."""
    if not budget:
        return profile
    tables = {kind: profile.settings(kind) for kind in kinds.names()}
    more = {
        kind: table.model_copy(update={"budget": table.budget | metrics.of_kind(budget, kind)})
        for kind, table in tables.items()
    }
    return profile.model_copy(update=more)


def tuned(profile: Target, **asked: object) -> Target:
    """A target with other settings in the table of each kind of model that has them; None leaves the target's."""
    tables = {kind: profile.settings(kind) for kind in kinds.names()}
    more = {
        kind: table.model_copy(
            update={key: value for key, value in asked.items() if value is not None and key in type(table).model_fields}
        )
        for kind, table in tables.items()
    }
    return profile.model_copy(update=more)


def words_of(limits: dict[str, Limit]) -> tuple[str, ...]:
    """Limits as a command line has them."""
    bounds = [(name, bound, getattr(limit, bound)) for name, limit in limits.items() for bound in ("min", "max")]
    return tuple(f"{name}:{bound}={value!r}" for name, bound, value in bounds if value is not None)


def _ref(source: str, home: Path) -> str:
    """A path is the project's; a name of the catalogue, hf: and pypi: are what they are."""
    return str(home / source) if (home / source).exists() or source.startswith(("./", "../")) else source


def _path(word: str | None, home: Path, suffix: str) -> str | None:
    return str(home / word) if word is not None and word.endswith(suffix) else word


def _beside(word: str | None, home: Path) -> Path | None:
    return home / word if word is not None else None
