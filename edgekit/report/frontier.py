"""Size against loss, as a picture (SVG or PNG): one point a recipe, drawn with matplotlib, the extra `report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit import extras
from edgekit.report.chart import BEST, COLOURS


@dataclass(frozen=True)
class Point:
    """One quantization: megabytes, and what it loses (or keeps)."""

    label: str
    megabytes: float
    value: float
    chosen: bool = False


def draw(
    series: Mapping[str, Sequence[Point]], path: Path, *, title: str, metric: str, limit: float | None = None
) -> None:
    """Write the points of each series, joined in the order of their sizes where there are several series.

    Args:
        metric: the name of the vertical axis; logarithmic where all values are positive and far apart.
        limit: drawn as a line.

    Raises:
        ToolMissing: matplotlib is not installed; the pip line is given.
        OSError: the file cannot be written.
    """
    extras.require("report")
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    values = [point.value for points in series.values() for point in points]
    with matplotlib.rc_context({"svg.hashsalt": "edgekit", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(8.4, 5.0), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for at, (name, points) in enumerate(series.items()):
            ordered = sorted(points, key=lambda point: point.megabytes)
            colour = COLOURS[at % len(COLOURS)]
            line = "-" if len(series) > 1 else ""
            axes.plot(
                [point.megabytes for point in ordered],
                [point.value for point in ordered],
                marker="o",
                linestyle=line,
                linewidth=1,
                color=colour,
                label=name,
            )
            for point in ordered:
                axes.annotate(
                    point.label,
                    (point.megabytes, point.value),
                    xytext=(5, 4),
                    textcoords="offset points",
                    color=BEST if point.chosen else colour,
                    fontweight="bold" if point.chosen else "normal",
                )
        if values and min(values) > 0 and max(values) / min(values) > 20:
            axes.set_yscale("log")
        if limit is not None:
            axes.axhline(limit, color=BEST, linewidth=0.8, linestyle=":", label=f"limit {limit:g}")
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel("megabytes of model files")
        axes.set_ylabel(metric)
        axes.margins(x=0.15)
        axes.spines[["top", "right"]].set_visible(False)
        if len(series) > 1 or limit is not None:
            axes.legend(frameon=False)
        form = "svg" if path.suffix.lower() == ".svg" else "png"
        metadata = {"Date": None} if form == "svg" else {"Software": None}  # the same figures give the same bytes
        figure.savefig(path, format=form, dpi=160, metadata=metadata)
