"""A comparison of bundles as a picture (SVG or PNG), drawn with matplotlib: the extra `report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import extras

COLOURS = ("#2f6bd8", "#c8641b", "#2e8062", "#8a6d9e", "#b93329", "#5c646e", "#a08a2b", "#3f8fa6")
BEST = "#1b1f24"
LABEL = 32  # characters; longer names leave the bars no room


@dataclass(frozen=True)
class Panel:
    """One figure of all bundles.

    Attributes:
        values: in the order of the bundles; None where one does not have it.
    """

    title: str
    values: tuple[float | None, ...]
    best: int | None = None


def draw(names: Sequence[str], panels: Sequence[Panel], path: Path) -> None:
    """Write bars side by side, a panel for each figure; the best of a panel is marked.

    Raises:
        ToolMissing: matplotlib is not installed; the pip line is given.
        OSError: the file cannot be written.
    """
    extras.require("report")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    with matplotlib.rc_context({"svg.hashsalt": "edgekit", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(4.2 * columns, rows * (0.9 + 0.34 * len(names)) + 0.5), layout="constrained")
        FigureCanvasAgg(figure)
        places = figure.subplots(rows, columns, squeeze=False).flatten()
        for at, axes in enumerate(places):
            if at >= len(panels):
                axes.set_axis_off()
                continue
            _bars(axes, panels[at], names, labelled=at % columns == 0)
        form = "svg" if path.suffix.lower() == ".svg" else "png"
        metadata = {"Date": None} if form == "svg" else {"Software": None}  # the same figures give the same bytes
        figure.savefig(path, format=form, dpi=160, metadata=metadata)


def _short(name: str) -> str:
    """The end of a long name: of a path it tells most."""
    return name if len(name) <= LABEL else f"...{name[3 - LABEL :]}"


def _bars(axes: object, panel: Panel, names: Sequence[str], *, labelled: bool) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    places = list(range(len(names)))
    values = [value or 0.0 for value in panel.values]
    bars = axes.barh(places, values, color=[COLOURS[at % len(COLOURS)] for at in places], height=0.66)
    for at, (value, bar) in enumerate(zip(panel.values, bars, strict=True)):
        text = "not measured" if value is None else f"{value:,.4g}" + (" (best)" if at == panel.best else "")
        axes.annotate(
            text,
            (bar.get_width(), at),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=BEST,
            fontweight="bold" if at == panel.best else "normal",
        )
    axes.set_title(panel.title, loc="left", fontsize=10)
    axes.set_yticks(places, [_short(name) for name in names] if labelled else [""] * len(names))
    axes.invert_yaxis()
    axes.set_xlim(0, (max(values) or 1.0) * 1.35)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
