"""The child that has models answer labelled inputs as an app reads them: classes, texts, boxes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from edgekit.errors import BuildError, SourceError
from edgekit.inputs import alternatives
from edgekit.inputs.feeds import Feed, FeedFolder
from edgekit.inputs.outputs import ctc_text
from edgekit.model import Preprocess
from edgekit.quality import _boxes, _layouts
from edgekit.quality._child_tensor import Runner
from edgekit.quality._layouts import Unlike, sides_of
from edgekit.quality._suppress import suppress
from edgekit.quality._survey import Outputs
from edgekit.wrappers.python.protocol import Emit, serve

FORMS: TypeAdapter[Any] = TypeAdapter(Preprocess)


def answers(request: dict[str, Any], emit: Emit) -> dict[str, Any]:
    """Run each of request["runs"] on every feed.

    Request: source and model (paths), feeds (folder), states ({input: output}), what (labels.What), decode (of the
    outputs), names (of the last axis, for texts), ep and ep_options (of the built model); runs: each {who: "source" |
    "built"}, and of a source whose input is made otherwise {input, own, other}: its name, and both forms as data.
    Outcome: answers, of each run a list with a class, a text or boxes (_scores.py) for every feed; or unread: why the
    outputs are not what the decode says.
    """
    try:
        return {"answers": _answers(request, emit)}
    except Unlike as reason:
        return {"unread": f"the outputs are not as {request['decode']!r} has them: {reason}"}


def _answers(request: dict[str, Any], emit: Emit) -> list[list[Any]]:
    feeds = FeedFolder(Path(request["feeds"]))
    drawn = _map if request["decode"] == "dbnet" else partial(_detected, request["decode"])
    read = {"classes": _class, "text": _text, "boxes": drawn}[request["what"]]
    runners: dict[str, Runner] = {}
    made: list[list[Any]] = []
    for at, run in enumerate(request["runs"]):
        if run["who"] not in runners:
            runners[run["who"]] = _runner(request, run["who"])
        runner = runners[run["who"]]
        runner.begin()
        change = _change(run)
        made.append([])
        for number, feed in enumerate(feeds):
            emit("progress", text=f"labelled inputs {number}/{len(feeds)}, {at + 1} of {len(request['runs'])}")
            changed = change(feed)
            made[-1].append(read(changed, runner.run(changed), request["names"], source=run["who"] == "source"))
    return made


def _runner(request: dict[str, Any], who: str) -> Runner:
    if who == "source":
        return Runner(Path(request["source"]), request["states"], SourceError, "the float source")
    how = {"ep": request["ep"], "ep_options": request["ep_options"]}
    return Runner(Path(request["model"]), request["states"], BuildError, "the built model", **how)


def _change(run: dict[str, Any]) -> Callable[[Feed], Feed]:
    name = run.get("input")
    if name is None:
        return lambda feed: feed
    own, other = (FORMS.validate_python(run[key]) for key in ("own", "other"))
    return lambda feed: {**feed, name: alternatives.remade(feed[name], own, other)}


def _class(feed: Feed, outputs: Outputs, names: Sequence[str], *, source: bool) -> int:
    return int(next(iter(outputs.values())).reshape(-1).argmax())


def _text(feed: Feed, outputs: Outputs, names: Sequence[str], *, source: bool) -> str:
    steps = next(iter(outputs.values()))
    return ctc_text(steps.reshape(-1, steps.shape[-1]), names)


def _map(feed: Feed, outputs: Outputs, names: Sequence[str], *, source: bool) -> list[list[float]]:
    """The boxes around text in pixels of the input, whatever the size of the map."""
    drawn = next(iter(outputs.values()))
    drawn = drawn.reshape(-1, *drawn.shape[-2:])[0]
    down, across = (side / own for side, own in zip(sides_of(feed), drawn.shape, strict=True))
    scale = (across, down, across, down, 1.0)
    return [
        [0, *(value * by for value, by in zip(box, scale, strict=True))] for box in _boxes.scored_boxes(drawn).tolist()
    ]


def _detected(decode: str, feed: Feed, outputs: Outputs, names: Sequence[str], *, source: bool) -> list[list[float]]:
    drawn: list[list[float]] = _layouts.rows(decode, outputs, sides_of(feed), suppress, float_source=source).tolist()
    return drawn


if __name__ == "__main__":
    sys.exit(serve(answers, Path(sys.argv[1])))
