"""A folder of calibration data: pictures, recordings, texts, or arrays. Never random numbers.

Its items are split once and for all into those that calibrate and those that evaluate (the gate, the goldens), by a
shuffle that depends on their names alone, so that what a model is judged by is not what it was calibrated with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from edgekit import cache, code, digests, kinds
from edgekit.data import digest, jsonable
from edgekit.digests import NOTHING, Snapshot
from edgekit.errors import SourceError, UsageError
from edgekit.inputs import arrays, audio, boxes, images, texts, unmade
from edgekit.inputs.feeds import Feed, FeedFolder, LazyFeeds, check, write_folder
from edgekit.inputs.labels import NO_LABELS, Labels, of_files
from edgekit.inputs.streams import Carrier, forms, free
from edgekit.model import AudioInput, ImageInput, Model, TextInput

__all__ = ["Calibration", "Feed", "FeedFolder", "open_calibration"]

SUFFIXES = {"image": images.SUFFIXES, "audio": audio.SUFFIXES, "text": texts.SUFFIXES, "array": arrays.SUFFIXES}
WORDS = {"image": "pictures", "audio": "recordings", "text": "texts", "array": "arrays"}
CALIBRATE, EVALUATE = 128, 256  # calls at most
EVALUATE_BYTES = 512 * 2**20  # of feeds at most, but at least LEAST of them: the gate keeps them all
LEAST = 64
# What people take for data and nobody here reads, and what it can be made of.
UNREAD = {
    **dict.fromkeys((".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".dng"), "JPEG or PNG"),
    **dict.fromkeys((".mp3", ".m4a", ".aac", ".flac", ".ogg", ".opus", ".wma", ".aiff"), "WAV"),
}
NAMES = "classes.txt"  # beside YOLO's labels: the names of their classes
KEPT = "pictures, .wav, .txt (one text a line), .npz or .npy"


@dataclass(frozen=True)
class Calibration:
    """Calibration data: two disjoint sequences of feeds, read when they are needed, and what is said of them.

    Attributes:
        form: image, audio, text or array.
        items: usable pictures, recordings, lines or arrays in the folder.
        sha256: of the folder's files and of how they become inputs.
        labels: of each feed of `evaluate` what it shows (labels.Labels), None where nobody says.
        shown: what is known of all files.
        snapshot: of the folder: feeds are read when they are needed, and the folder must then be as it was.
    """

    form: str
    items: int
    sha256: str
    calibrate: Sequence[Feed]
    evaluate: Sequence[Feed]
    snapshot: Snapshot = NOTHING
    labels: tuple[Any, ...] = ()
    shown: Labels = NO_LABELS

    def facts(self) -> dict[str, Any]:
        """What a plan and a manifest say of it."""
        return {
            "inputs": self.items,
            "form": self.form,
            "calibration": len(self.calibrate),
            "evaluation": len(self.evaluate),
            "sha256": self.sha256,
        }

    def write_feeds(self, folder: Path) -> None:
        """Write the calibration feeds into an existing folder, one .npz a call, for FeedFolder in the Olive child."""
        write_folder(folder, self.calibrate)


Stream = list[Callable[[], Feed]]  # the calls that one item gives, without fixed values and state


def open_calibration(
    folder: Path, model: Model, decode: str | None, path: Path, labels: Path | None = None
) -> Calibration:
    """Read a folder of calibration data for a model and check all of it that will be used.

    Args:
        decode: how the model's outputs are read, and so what a label is; None where nobody says.
        labels: a table of them, where they lie neither in the folder nor in the names of its sub-folders.
        path: the float source (.onnx): it must run the first call, and is run for the states of a model that has some.

    Raises:
        UsageError: no such folder, or nothing usable in it.
        SourceError: mixed kinds of files, a broken one, wrong shape or dtype, NaN, an input that cannot be made of it.
    """
    if kinds.of(model.kind).settings.OWN_TEXT:
        title = kinds.of(model.kind).title
        raise UsageError(f"{title} are not judged by calibration data", next="--text FILE judges by yours")
    taken = digests.snapshot(folder, what=f"the calibration data in {folder.name}")
    with digests.unchanged(taken):
        return replace(_read(folder, model, path, labels, decode or "none"), snapshot=taken)


def _read(folder: Path, model: Model, path: Path, table: Path | None, decode: str) -> Calibration:
    form, files = listing(folder)
    carrier = Carrier(model, path)
    usable = items(form, files, model, path)
    if not usable:
        raise UsageError(f"the files in {folder.name} hold no {WORDS[form]}", next=f"give a folder with {KEPT}")
    if carrier.stateful and form == "array":  # one file a call, in the order of their names: one stream
        usable = [(folder.name, [call for _, stream in usable for call in stream])]
    first, second = _split(usable)
    calibrate, evaluate = _feeds(first, CALIBRATE, carrier, model), _feeds(second, EVALUATE, carrier, model)
    carrier.try_run(calibrate[0])
    facts = {
        "code": code.digest("edgekit.inputs.calibration"),
        "files": cache.path_digest(folder),
        "inputs": [jsonable(one) for one in model.inputs],
        "source": model.sha256 if carrier.stateful else "",
        "labels": cache.path_digest(table) if table is not None else "",
        "tokenizer": cache.path_digest(path.parent / "tokenizer.json") if form == "text" else "",
    }
    shown = of_files(folder, files, table, decode)
    known = _labels(shown, [_file(maker) for maker in evaluate.makers], model) if shown.by_file else ()
    return Calibration(form, len(usable), digest(facts), calibrate, evaluate, labels=known, shown=shown)


def _labels(shown: Labels, calls: Sequence[Path | None], model: Model) -> tuple[Any, ...]:
    """What each call shows; boxes in pixels of the model's first picture. A window of a recording has no text."""
    if shown.what == "text":
        return tuple(shown.by_file.get(file) if file and calls.count(file) == 1 else None for file in calls)
    pictures = forms(model, ImageInput)
    if shown.what == "classes" or not pictures:
        return tuple(shown.by_file.get(file) if file else None for file in calls)
    tensor, form = pictures[0]
    return tuple(
        boxes.placed(shown.by_file[file], images.read(file).size, form, tensor) if file in shown.by_file else None
        for file in calls
    )


def listing(folder: Path) -> tuple[str, list[Path]]:
    """The one kind of usable files in a folder (its subfolders too), and the files by their names.

    Texts that say what pictures or recordings of the same name show are no data of their own, nor are fewer texts than
    there are files of another kind: a README, or a list of labels.

    Raises:
        UsageError: no such folder, or nothing usable in it.
        SourceError: files of several kinds, or pictures or recordings of a form that is not read.
    """
    if not folder.is_dir():
        raise UsageError(f"no calibration folder {folder}", next=f"give a folder with {KEPT}")
    by_kind: dict[str, list[Path]] = {}
    unread: dict[str, int] = {}
    for path in sorted(folder.rglob("*")):
        inside, suffix = path.relative_to(folder).parts, path.suffix.lower()
        if path.is_file() and not any(part.startswith(".") for part in inside):
            kind = next((name for name, suffixes in SUFFIXES.items() if suffix in suffixes), None)
            if kind:
                by_kind.setdefault(kind, []).append(path)
            elif suffix in UNREAD:
                unread[suffix] = unread.get(suffix, 0) + 1
    if unread:
        counted = " and ".join(f"{count} {suffix} files" for suffix, count in sorted(unread.items()))
        wanted = " and ".join(sorted({UNREAD[suffix] for suffix in unread}))
        raise SourceError(
            f"{folder.name} holds {counted}, which edgekit does not read", next=f"convert them to {wanted}"
        )
    if not by_kind:
        raise UsageError(f"nothing in {folder} can be calibrated with", next=f"put {KEPT} into it")
    if len(by_kind) > 1 and "text" in by_kind:
        told = {path.with_suffix("") for kind in by_kind if kind != "text" for path in by_kind[kind]}
        told |= {Path(*("labels" if part == "images" else part for part in path.parts)) for path in told}
        by_kind["text"] = [path for path in by_kind["text"] if path.with_suffix("") not in told and path.name != NAMES]
        most = max(len(files) for kind, files in by_kind.items() if kind != "text")
        by_kind = {kind: files for kind, files in by_kind.items() if files and (kind != "text" or len(files) >= most)}
    if len(by_kind) > 1:
        counted = ", ".join(f"{len(files)} {WORDS[kind]}" for kind, files in sorted(by_kind.items()))
        raise SourceError(f"{folder.name} mixes kinds of data: {counted}", next="give a folder of one kind")
    return next(iter(by_kind.items()))


def items(form: str, files: list[Path], model: Model, path: Path) -> list[tuple[str, Stream]]:
    """(name, calls) of each item; a picture is read when its call is made, a recording's length is needed at once."""
    wanted = free(model)
    kinds = {"image": ImageInput, "audio": AudioInput, "text": TextInput}
    if form == "array":
        names = [one.name for one in wanted]
        return [(file.name, [partial(arrays.load, file, names)]) for file in files]
    matching = forms(model, kinds[form])
    others = [one for one in wanted if not isinstance(one.preprocess, kinds[form])]
    if others or not matching:
        name = others[0].name if others else model.inputs[0].name
        why, near = unmade.reason(model, name)
        spec = near or f'"{name}:{form},..."'
        raise SourceError(
            f"edgekit does not know how {WORDS[form]} become the input {name!r}{': ' if why else ''}{why}",
            next=f"give .npz files with the arrays themselves, or say how: a card, or --input-spec {spec}"
            f"{', which is next to it' if near else ''}",
        )
    if form == "image":
        return [(file.name, [partial(_picture, file, matching)]) for file in files]
    if form == "audio":
        return [(file.name, _recording(file, matching)) for file in files]
    tokenizer = texts.Tokenizer(path.parent)
    lines = list(dict.fromkeys(line for file in files for line in texts.read(file)))
    return [(line, [partial(tokenizer.arrays, line, matching)]) for line in lines]


def _picture(file: Path, matching: list[tuple[Any, Any]]) -> Feed:
    return {tensor.name: images.load(file, form, tensor) for tensor, form in matching}


def _recording(file: Path, matching: list[tuple[Any, Any]]) -> Stream:
    """One call a window; several audio inputs get the same windows of the recording."""
    counts = [len(audio.windows(_heard(file, form.sample_rate), form)) for _, form in matching]
    return [partial(_window, file, at, matching) for at in range(min(counts))]


def _window(file: Path, at: int, matching: list[tuple[Any, Any]]) -> Feed:
    return {
        tensor.name: audio.prepare(audio.windows(_heard(file, form.sample_rate), form)[at], form, tensor)
        for tensor, form in matching
    }


@lru_cache(maxsize=2)
def _heard(file: Path, rate: int) -> audio.Samples:
    """The last recordings that were read: their windows are asked for one after the other."""
    return audio.load(file, rate)


def _split(items: list[tuple[str, Stream]]) -> tuple[list[Stream], list[Stream]]:
    """Those that calibrate and those that evaluate; a single item of many calls is cut in two."""
    if len(items) == 1:
        calls = items[0][1]
        half = -(-len(calls) // 2)
        return [calls[:half]], [calls[half:]]
    order = sorted(items, key=lambda item: (hashlib.sha256(item[0].encode()).hexdigest(), item[0]))
    streams = [stream for _, stream in order]
    count = len(streams)
    share = -(-count // 2) if count < 2 * 16 else min(CALIBRATE, max(16, count // 3))
    return streams[:share], streams[share:]


def _feeds(streams: list[Stream], limit: int, carrier: Carrier, model: Model) -> LazyFeeds:
    """The checked feeds of some streams, `limit` at most, each stream giving about as many.

    Those of a model with state are made now, as each call needs the one before; others when they are asked for.
    """
    if limit == EVALUATE and streams and streams[0]:
        limit = _affordable(streams[0][0], carrier)
    makers: Stream = []
    for at, stream in enumerate(streams):
        some = stream[: -(-(limit - len(makers)) // (len(streams) - at))]
        if carrier.stateful:
            made = [_checked(feed, model, "the calibration data") for feed in carrier.stream(call() for call in some)]
            makers += [partial(dict, feed) for feed in made]
        else:
            makers += [partial(_complete, call, carrier) for call in some]
    if not carrier.stateful:
        for maker in makers:
            _checked(maker(), model, _name(maker))
    return LazyFeeds(makers)


def _affordable(call: Callable[[], Feed], carrier: Carrier) -> int:
    size = sum(array.nbytes for array in carrier.complete(call()).values())
    return min(EVALUATE, max(LEAST, EVALUATE_BYTES // max(1, size)))


def _complete(call: Callable[[], Feed], carrier: Carrier) -> Feed:
    return carrier.complete(call())


def _checked(feed: Feed, model: Model, where: str) -> Feed:
    check(feed, model, where)
    return feed


def _name(maker: Callable[[], Feed]) -> str:
    """The file behind a call, for messages."""
    file = _file(maker)
    return file.name if file is not None else "a text"


def _file(maker: Callable[[], Feed]) -> Path | None:
    """The file behind a call; None for a line of text, and for a model with state."""
    call = maker.args[0] if isinstance(maker, partial) and maker.args else None
    first = call.args[0] if isinstance(call, partial) and call.args else None
    return first if isinstance(first, Path) else None
