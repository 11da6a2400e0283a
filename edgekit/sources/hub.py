"""A model of the Hugging Face hub: hf:org/name[@revision][#path], downloaded once, at one commit.

A branch or a tag is resolved to its commit first; the commit is what the cache, the bundle's `ref` and its origin name,
so a later build of the same `ref` is the same. A commit that is in the cache needs no network.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgekit import cache, holdings, tools
from edgekit.data import digest, pretty, write_atomic
from edgekit.errors import BuildError, SourceError
from edgekit.extras import require
from edgekit.sources import _places, hf
from edgekit.sources.facts import hub_files, modules, quantized, safetensors
from edgekit.sources.facts.files import GENERIC, license_files, license_of, name_of, slug
from edgekit.sources.facts.hf_folder import read_config
from edgekit.sources.facts.hub_files import RemoteFile
from edgekit.sources.facts.onnx_graph import external_files
from edgekit.sources.source import Emit, Options, Source

FORM = "hf:org/name[@revision][#path/in/the/repository]"
REF = re.compile(
    r"hf:(?P<repo>[A-Za-z0-9_][\w.-]*(?:/[A-Za-z0-9_][\w.-]*)?)"
    r"(?:@(?P<revision>[A-Za-z0-9_][\w./+-]*))?(?:#(?P<path>[^\\:\0]+?)/?)?",
    re.ASCII,
)
COMMIT = re.compile(r"[0-9a-f]{40}")
TIMEOUT = 24 * 3600.0  # seconds for one download; a hub that stops answering is noticed long before
MAX_FILE = 50 * 10**9  # bytes that huggingface_hub fetches by plain HTTP
# Read by huggingface_hub when it is imported. Xet would keep a second cache and a log of its own in the user's home.
SETTINGS = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_ENABLE_HF_TRANSFER": "0"}
RECORD = "hub.json"


@dataclass(frozen=True)
class Wanted:
    """A parsed reference; `commit` once it is known."""

    repo: str
    revision: str
    path: str
    code: bool = False

    @property
    def key(self) -> dict[str, Any]:
        """What the downloaded files depend on."""
        return {"hub": self.repo, "commit": self.revision, "path": self.path, "code": self.code}

    def ref(self) -> str:
        """The reference with its commit: the same model for ever."""
        return f"hf:{self.repo}@{self.revision}" + (f"#{self.path}" if self.path else "")


def matches(ref: str) -> bool:
    """Anything that begins with hf:."""
    return ref.startswith("hf:")


def fetch(ref: str, options: Options) -> Source:
    """The model at the commit, opened by the place that its form belongs to.

    Raises:
        SourceError: no such model, revision or file; gated; no network; content that is not what the hub promised.
    """
    wanted = parse(ref, code=options.trust_remote_code)
    pinned, folder = _downloaded(wanted, options.emit)
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    files = folder / "files"
    stem = Path(record["model"]).stem.lower()
    name = name_of(files / record["model"]) if stem and stem not in GENERIC else slug(wanted.repo.rpartition("/")[2])
    opened = _places.fetch(str(files / record["model"]), replace(options, name=options.name or name))
    model = opened.model
    if model.license == "unknown":  # a GGUF is converted elsewhere, without the repository's README
        model = model.model_copy(update={"license": license_of(files)})
    what = f"{pinned.path} of {pinned.repo}" if pinned.path else pinned.repo
    line = f"{what}, from the Hugging Face hub at commit {pinned.revision}: {record['files']} files as it lists them"
    return replace(
        opened,
        ref=pinned.ref(),
        model=model,
        origin=(line, *opened.origin),
        licenses=opened.licenses or license_files(files),
    )


def parse(ref: str, *, code: bool = False) -> Wanted:
    """The parts of a reference; SourceError for a form that is not FORM, or a path that leads outside."""
    found = REF.fullmatch(ref)
    if found is None or any(part in ("", ".", "..") for part in (found["path"] or "x").split("/")):
        raise SourceError(f"{ref[:200]} is not of the form {FORM}", next="write hf:org/name")
    return Wanted(found["repo"], found["revision"] or "main", found["path"] or "", code)


def _downloaded(wanted: Wanted, emit: Emit) -> tuple[Wanted, Path]:
    """The reference at its commit, and the folder that holds files/ and RECORD."""
    if COMMIT.fullmatch(wanted.revision) and (found := cache.lookup("downloads", wanted.key)) is not None:
        return wanted, found
    pinned, files = located(wanted, emit)
    entry = cache.produce("downloads", pinned.key, lambda folder: _make(pinned, files, folder, emit), what=pinned.ref())
    return pinned, entry.path


def located(wanted: Wanted, emit: Emit) -> tuple[Wanted, dict[str, RemoteFile]]:
    """The reference at its commit, and the files that the hub lists there."""
    require("build")
    try:
        listed = _ask({"action": "look", "repo": wanted.repo, "revision": wanted.revision}, emit)
    except SourceError as error:
        raise _with_cached(error, wanted) from None
    return replace(wanted, revision=listed["commit"]), hub_files.listing(listed["files"], wanted.repo)


def _with_cached(error: SourceError, wanted: Wanted) -> SourceError:
    """The same error; where a commit of the model is in the cache, its next step names it."""
    for entry in reversed(holdings.entries()):
        if entry.stage == "downloads" and entry.what.startswith(f"hf:{wanted.repo}@"):
            return SourceError(error.message, next=f"{error.next}; in the cache is {entry.what}")
    return error


def _make(wanted: Wanted, files: Mapping[str, RemoteFile], folder: Path, emit: Emit) -> None:
    """Fill an empty folder: first what describes the model, then the weights that this names."""
    choice = hub_files.choose(files, wanted.path, wanted.repo, code=wanted.code)
    with _store(wanted) as store:
        get(wanted, choice.first.values(), store, emit)
        weights = named(store / choice.base, choice.model, trust=wanted.code)
        more = hub_files.rest(files, choice, weights, wanted.repo)
        get(wanted, more.values(), store, emit)
        chosen = choice.first | more
        for local, file in chosen.items():
            (folder / "files" / local).parent.mkdir(parents=True, exist_ok=True)
            (store / file.path).rename(folder / "files" / local)
    (folder / RECORD).write_text(pretty({"model": choice.model, "files": len(chosen)}), encoding="utf-8")


def named(folder: Path, model: str, *, trust: bool) -> list[str]:
    """The weights that the files in `folder` ask for; what cannot be built is refused before these are fetched."""
    if model:
        return external_files(folder / model) if model.endswith(".onnx") else []
    net = modules.net(folder)
    hf.check_trust(net, config := read_config(net), trust)
    quantized.refuse(net, config)
    names = safetensors.shards(net) if (net / safetensors.INDEX).is_file() else [safetensors.SINGLE]
    return [(net / name).relative_to(folder).as_posix() for name in names]


@contextmanager
def _store(wanted: Wanted) -> Iterator[Path]:
    """Where files lie until all are there. A failed or killed download leaves it, the next one goes on with it.

    It is an entry of the cache of its own, so that `edgekit cache` shows and prunes it; the lock of the entry that is
    being made is its lock too.
    """
    store = cache.folder_of("downloads") / f"part-{digest(wanted.key)[:32]}"
    store.mkdir(exist_ok=True)
    write_atomic(store / "entry.json", pretty({"what": f"{wanted.ref()}, not whole yet", "key": {}, "files": {}}))
    yield store / "files"
    shutil.rmtree(store)


def get(wanted: Wanted, files: Iterable[RemoteFile], store: Path, emit: Emit) -> None:
    """Download files into the store, each whole and with the digest that the hub lists."""
    store.mkdir(exist_ok=True)
    listed = [asdict(file) for file in files]
    parts = [*store.rglob("*.incomplete"), *(store / file["path"] for file in listed)]
    needed = sum(file["size"] for file in listed) - sum(path.stat().st_size for path in parts if path.is_file())
    if needed > (free := shutil.disk_usage(store).free):
        raise BuildError(
            f"the disk is full: {wanted.repo} needs {needed / 1e9:.1f} GB, the cache's disk has {free / 1e9:.1f} GB",
            next="free space, or set EDGEKIT_CACHE to a larger disk, then run the same command again",
        )
    if large := next((file["path"] for file in listed if file["size"] > MAX_FILE), None):
        raise SourceError(f"{large} of {wanted.repo} is larger than 50 GB", next="use a sharded revision of the model")
    _ask(
        {"action": "fetch", "repo": wanted.repo, "commit": wanted.revision, "files": listed, "folder": str(store)}, emit
    )


def _ask(request: Mapping[str, Any], emit: Emit) -> dict[str, Any]:
    """One request to the hub, by a child process: huggingface_hub takes its settings from the environment."""
    with tempfile.TemporaryDirectory(prefix="edgekit-hub-") as folder:
        return tools.job(
            tools.module("edgekit.jobs.hub"),
            request,
            Path(folder),
            timeout=TIMEOUT,
            what="the hub job",
            on_event=lambda event: emit(str(event.get("text", ""))),
            env=SETTINGS,
        )
