"""Scales, ticks and a canvas for small plots. Colours are classes of page.css, so a plot follows light and dark.

On the page a canvas is WIDE units wide, whatever the screen: as wide as a phone shows, so its text stays readable.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from edgekit.report.page.text import escape

WIDE = 350.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 10.0, 12.0, 34.0
LETTER = 6.4  # width of a letter at the size of labels, on average

Point = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """From values to places on the canvas.

    Attributes:
        low, high: values at the two ends.
        start, end: places of the two ends.
        log: equal ratios are equally long.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value; beyond the ends, the end."""
        low, high, at = (
            (math.log(self.low), math.log(self.high), math.log(max(value, self.low)))
            if self.log
            else (self.low, self.high, value)
        )
        share = (at - low) / (high - low) if high > low else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """Round values between the ends, about so many."""
        if self.log:
            return log_ticks(self.low, self.high, count)
        return linear_ticks(self.low, self.high, count)


def linear_ticks(low: float, high: float, count: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    step = _step((high - low) / max(1, count))
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float, count: int) -> list[float]:
    """1, 2 and 5 times powers of ten; fewer where that is too many."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        found = [factor * 10.0**power for power in decades for factor in factors]
        inside = [value for value in found if low * 0.999 <= value <= high * 1.001]
        if len(inside) <= count + 2:
            break
    return inside if len(inside) > 1 else linear_ticks(low, high, count)


def around(values: Iterable[float], *, zero: bool = False) -> tuple[float, float]:
    """The ends of an axis for these values, with a little room; from 0 if asked."""
    known = list(values)
    low, high = min(known), max(known)
    room = (high - low) * 0.08 or abs(high) * 0.05 or 1.0
    return (0.0 if zero else max(0.0, low - room) if low >= 0 else low - room), high + room


def short(value: float) -> str:
    """A number for a tick: 1,500 or 0.25 or 2e-05."""
    text = f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return "0" if value == 0 else text


@dataclass
class Canvas:
    """SVG elements, one after the other."""

    height: float
    parts: list[str] = field(default_factory=list)
    wide: float = WIDE

    @property
    def left(self) -> float:
        """The left end of the plotting area."""
        return LEFT

    @property
    def right(self) -> float:
        """The right end of the plotting area."""
        return self.wide - RIGHT

    def text(self, x: float, y: float, text: str, css: str = "label", anchor: str = "start") -> None:
        """A line of text; y is its baseline."""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{css}" text-anchor="{anchor}">{escape(text)}</text>')

    def line(self, points: Sequence[Point], css: str) -> None:
        """A polyline; of two points, a line."""
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{joined}" class="{css}"/>')

    def area(self, points: Sequence[Point], css: str) -> None:
        """A filled polygon."""
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polygon points="{joined}" class="{css}"/>')

    def bar(self, x: float, y: float, width: float, height: float, css: str, tip: str = "") -> None:
        """A rectangle; a pointer over it shows `tip`."""
        inner = f"<title>{escape(tip)}</title>" if tip else ""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{max(0.0, height):.1f}" '
            f'class="{css}" rx="1.5">{inner}</rect>'
        )

    def dot(self, x: float, y: float, css: str, radius: float = 3.0, tip: str = "") -> None:
        """A circle."""
        inner = f"<title>{escape(tip)}</title>" if tip else ""
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" class="{css}">{inner}</circle>')

    def whisker(self, x: float, low: float, high: float, css: str = "whisker") -> None:
        """A vertical interval."""
        self.line([(x, low), (x, high)], css)
        for end in (low, high):
            self.line([(x - 4, end), (x + 4, end)], css)

    def y_axis(self, scale: Scale, title: str, count: int = 4) -> None:
        """Grid lines with their values on the left, the axis' title above them."""
        for value in scale.ticks(count):
            at = scale(value)
            self.line([(self.left, at), (self.right, at)], "grid")
            self.text(self.left - 6, at + 4, short(value), "tick", "end")
        self.text(2, min(scale.start, scale.end) - 8, title, "axis")

    def x_axis(self, scale: Scale, bottom: float, title: str, count: int = 5) -> None:
        """Values below the plot, the axis' title under them."""
        self.line([(self.left, bottom), (self.right, bottom)], "baseline")
        free = -1e9
        for value in scale.ticks(count):
            at, text = scale(value), short(value)
            half = len(text) * LETTER / 2
            if at - half > free and at + half < self.wide:
                self.line([(at, bottom), (at, bottom + 4)], "baseline")
                self.text(at, bottom + 16, text, "tick", "middle")
                free = at + half + 6
        self.text((self.left + self.right) / 2, bottom + 31, title, "axis", "middle")

    def svg(self, title: str, description: str, ident: str) -> str:
        """The element, with a name and a description for those who do not see it."""
        return (
            f'<svg viewBox="0 0 {self.wide:.0f} {self.height:.0f}" role="img" aria-labelledby="{ident}-t {ident}-d">'
            f'<title id="{ident}-t">{escape(title)}</title><desc id="{ident}-d">{escape(description)}</desc>'
            f"{''.join(self.parts)}</svg>"
        )


def _step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is no smaller."""
    power = 10.0 ** math.floor(math.log10(least)) if least > 0 else 1.0
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))
