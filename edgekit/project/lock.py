"""edgekit.lock: what each bundle of a project was made of, and its sha256; the same lock gives the same bytes.

It holds no path, no time and nothing of the machine, so it is kept in version control. `edgekit build` writes it,
`edgekit build --locked` refuses any difference by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from edgekit import __version__, engines, optimize, strangers
from edgekit.build import Job
from edgekit.contract.manifest import Manifest
from edgekit.data import Strict, canonical, digest, first_fault, jsonable, pretty
from edgekit.errors import LockMismatch
from edgekit.project.pairs import Pair
from edgekit.sources import hub

NAME = "edgekit.lock"
AGAIN = "edgekit build without --locked builds what is there now and writes it into edgekit.lock"


class Locked(Strict):
    """One bundle; digests are sha256."""

    asked: str = Field(description="the source as edgekit.toml has it; a path by its last part only")
    source: str = Field(description="the source as it was found: one of the hub at its commit")
    model: str = Field(description="digest of the model's bytes")
    calibration: str | None = Field(
        default=None, description="digest of the calibration data, and of how they become inputs"
    )
    text: str | None = Field(default=None, description="digest of the gate's text, where it is the project's own")
    target: str = Field(description="digest of the target with all its values")
    recipe: dict[str, str] = Field(description="by variant, the recipe's name and digest")
    plan: str = Field(description="digest of the plan: every pass with its settings")
    limits: str | None = Field(default=None, description="digest of the quality limits that the project sets")
    code: str = Field(description="digest of the code of edgekit that the bundle depends on")
    bundle: str | None = Field(default=None, description="of the bundle's manifest; none until it was built")
    steps: dict[str, str] = Field(
        default={},
        description="by step, digest of what it left in the bundle; the floats of gate and goldens depend on the CPU",
    )


class Lock(Strict):
    """The whole file."""

    format: Literal["1.0"] = "1.0"
    tools: dict[str, str] = Field(description="versions of edgekit and its engines")
    bundles: dict[str, Locked] = Field(default={}, description='by "model/target"')


# What a difference is called.
WORDS = {
    "asked": "the source's name",
    "source": "the source's revision",
    "model": "the model's bytes",
    "calibration": "the calibration data",
    "text": "the gate's text",
    "target": "the target",
    "recipe": "the recipe",
    "plan": "the plan",
    "limits": "the quality limits",
    "code": "edgekit's code",
    "bundle": "the bundle",
}
STEPS = {
    "optimize": "what was optimized",
    "gate": "what the gate found, in floats that depend on the CPU",
    "goldens": "the golden answers, in floats that depend on the CPU",
}


def read(path: Path) -> Lock | None:
    """The lock of a project; None where there is none yet.

    Raises:
        LockMismatch: it cannot be read.
    """
    if not path.is_file():
        return None
    try:
        return Lock.model_validate(strangers.from_json(path))
    except ValidationError as error:
        where, message, _ = first_fault(error)
        why = f"{where}: {message.lower()}"
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
    raise LockMismatch(f"{path.name} cannot be read: {why}", next=f"restore it, or remove it: {AGAIN}")


def text(lock: Lock) -> str:
    """The file's text: sorted, one fact a line, for reviews."""
    return pretty(jsonable(lock))


def tools() -> dict[str, str]:
    """What is installed here, of what bytes depend on."""
    return {"edgekit": __version__, **engines.versions(optimize.ENGINES)}


def locked(pair: Pair, job: Job, key: Mapping[str, Any]) -> Locked:
    """What is known of a pair before it is built.

    Args:
        key: of its bundle (build.key_of).
    """
    return Locked(
        asked=asked(pair),
        source=job.source.ref,
        model=job.source.model.sha256,
        calibration=digest(key["calibration"]) if key["calibration"] else None,
        text=key["text"],
        target=key["target"],
        recipe={entry.name: f"{entry.recipe} {entry.recipe_sha256}" for entry in job.plan.variants},
        plan=digest(key["plan"]),
        limits=digest(key["quality"][1]) if key["quality"][1] else None,
        code=key["basis"]["code"],
    )


def sealed(now: Locked, manifest: Manifest) -> Locked:
    """What is known of a pair once it was built."""

    def files(role: str) -> str:
        return digest([[file.path, file.sha256] for file in manifest.files if file.role == role])

    gate = digest({name: jsonable(judged) for name, judged in manifest.quality.items()})
    steps = {"optimize": files("model"), "gate": gate, "goldens": files("check")}
    return now.model_copy(update={"bundle": manifest.sha256, "steps": steps})


def asked(pair: Pair) -> str:
    """The source as the project names it, without a folder of this machine."""
    return Path(pair.ref).name if Path(pair.ref).is_absolute() else pair.ref


def pinned(pair: Pair, lock: Lock | None) -> str:
    """The reference to open: of a model of the hub, the commit that the lock has for the same words."""
    known = lock.bundles.get(pair.name) if lock is not None else None
    if known is None or known.asked != asked(pair) or not hub.matches(pair.ref) or not hub.matches(known.source):
        return pair.ref
    return known.source


def differences(before: Locked, after: Locked) -> list[str]:
    """What differs, in words, with the values where people can read them."""
    told = []
    for name, word in WORDS.items():
        old, new = getattr(before, name), getattr(after, name)
        if old != new and not (name == "bundle" and None in (old, new)):
            told.append(f"{word} ({_short(old)} -> {_short(new)})")
    if len(told) == 1 and before.bundle != after.bundle:  # made of the same, and another: where?
        both = before.steps.keys() & after.steps.keys()
        told += [word for name, word in STEPS.items() if name in both and before.steps[name] != after.steps[name]]
    return told


def check_tools(lock: Lock) -> None:
    """Refuse to build --locked with other tools than those of the lock.

    Raises:
        LockMismatch: with each that differs.
    """
    here = tools()
    names = sorted(name for name in here.keys() | lock.tools.keys() if here.get(name) != lock.tools.get(name))
    if names:
        told = ", ".join(f"{name} {lock.tools.get(name, 'none')} -> {here.get(name, 'none')}" for name in names)
        wanted = " ".join(f"{name}=={lock.tools[name]}" for name in names if name in lock.tools and name != "edgekit")
        raise LockMismatch(
            f"edgekit.lock was made with other tools: {told}", next=f"pip install {wanted}" if wanted else AGAIN
        )


def check(pair: Pair, lock: Lock, now: Locked) -> None:
    """Refuse a pair that differs from its lock.

    Raises:
        LockMismatch: it is not in the lock, or something of it differs; all of it is named.
    """
    known = lock.bundles.get(pair.name)
    if known is None:
        raise LockMismatch(f"{pair.name} is not in edgekit.lock", next=AGAIN)
    if told := differences(known, now):
        raise LockMismatch(f"{pair.name} differs from edgekit.lock: {'; '.join(told)}", next=AGAIN)


def merged(lock: Lock | None, built: dict[str, Locked], pairs: set[str]) -> Lock:
    """The new lock: what was built now, and what was there of other pairs that the project has."""
    kept = {name: entry for name, entry in (lock.bundles if lock else {}).items() if name in pairs}
    return Lock(tools=tools(), bundles={**kept, **built})


def _short(value: object) -> str:
    said = canonical(value).decode() if isinstance(value, dict) else str(value or "none")
    return said[:12] if len(said) == 64 and said.isalnum() else said
