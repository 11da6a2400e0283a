"""Recorded machines: trees of files and transcripts of programs that a Reader gives to meters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edgekit.devices._reader import LocalReader
from edgekit.reading import Reading, Source

FIXTURES = Path(__file__).parents[2] / "fixtures" / "meters"
Value = str | None


def fixture(name: str) -> str:
    """The text of a recording."""
    return (FIXTURES / name).read_text(encoding="utf-8")


def tree(name: str) -> dict[str, str]:
    """The files of a `.tree`: content by path."""
    pairs = (line.split(" = ", 1) for line in fixture(name).splitlines())
    return dict(pairs)


class Recorded(LocalReader):
    """A machine whose files lie below `root` and whose programs' answers are known.

    Attributes:
        answers: output by command line; an OSError is raised instead.
        denied: files that may not be read.
        course: source -> its value at a second of the run; for those of a poll. Others keep their value.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.root = root
        self.answers: dict[tuple[str, ...], str | OSError] = {}
        self.denied: set[str] = set()
        self.course: dict[Source, Callable[[float], Value]] = {}
        self.times: Sequence[float] = (0.0, 1.0)

    def plant(self, files: dict[str, str]) -> None:
        """Lay files out below the root."""
        for path, content in files.items():
            place = self.root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"{content}\n", encoding="utf-8")

    def text(self, path: str) -> str:
        """See Reader.text."""
        if path in self.denied:
            raise PermissionError(path)
        return super().text(path)

    def run(self, *argv: str, stdin: str = "") -> str:
        """See Reader.run."""
        answer = self.answers.get(argv)
        if answer is None:
            raise FileNotFoundError(argv[0])
        if isinstance(answer, OSError):
            raise answer
        return answer

    def poll(self, sources: Sequence[Source], period_s: float) -> Run:
        """See Reader.poll: the readings of `course` at `times`."""
        return Run(self, sources)

    def at(self, source: Source, second: float) -> Value:
        """What a source tells at a second of the run."""
        if source in self.course:
            return self.course[source](second)
        try:
            return self.text(source) if isinstance(source, str) else self.run(*source)
        except OSError:
            return None


class Run:
    """A poll whose readings are known; see Poll."""

    def __init__(self, reader: Recorded, sources: Sequence[Source]) -> None:
        self._reader, self._sources = reader, sources

    def stop(self) -> list[Reading]:
        """See Poll.stop."""
        return [
            Reading(1000.0 + at, tuple(self._reader.at(source, at) for source in self._sources))
            for at in self._reader.times
        ]


def seconds(last: float, step: float = 1.0) -> list[float]:
    """0, step, ... last."""
    return [at * step for at in range(int(last / step) + 1)]
