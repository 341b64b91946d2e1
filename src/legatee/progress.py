"""Progress of long work: a bar on a terminal, and a line now and then where there is none."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

FIRST_LINE = 5.0  # work that takes less is not worth a line [s]
INTERVAL = 30.0  # between two lines [s]


class Advance(Protocol):
    """What is called after each step."""

    def __call__(self, text: str = "", steps: int = 1) -> None:
        """Report that steps were done.

        Args:
            text: What to show beside the count, such as the latest score.
            steps: How many steps were done [count].
        """


@contextmanager
def track(total: int, label: str, *, shown: bool = True) -> Iterator[Advance]:
    """Show progress on standard error while the block runs; standard output is left alone.

    On a terminal this is a bar. Elsewhere, as in a log file or a notebook, it is a line after five
    seconds, another one every half a minute, and one at the end.

    Args:
        total: Steps to come [count].
        label: What the steps are.
        shown: Whether to show anything at all.

    Yields:
        A function to call after each step, with an optional text to show.

    Example:
        >>> with track(2, "seeds") as advance:
        ...     for seed in range(2):
        ...         advance(f"seed {seed}")
    """
    if not shown:
        yield lambda text="", steps=1: None
    elif sys.stderr.isatty():
        with _bar(total, label) as advance:
            yield advance
    else:
        lines = _Lines(total, label)
        yield lines.advance
        lines.end()


@contextmanager
def _bar(total: int, label: str) -> Iterator[Advance]:
    """Show a bar on a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task(label, total=total, text="")
        yield lambda text="", steps=1: bar.update(task, advance=steps, text=text)


class _Lines:
    """Writes plain lines, seldom.

    Args:
        total: Steps to come [count].
        label: What they are.
        clock: Tells the time [s].
    """

    def __init__(self, total: int, label: str, clock: Callable[[], float] = time.monotonic):
        self._total, self._label, self._clock = total, label, clock
        self._began = clock()
        self._due = self._began + FIRST_LINE
        self._done = 0
        self._text = ""
        self._written = -1

    def advance(self, text: str = "", steps: int = 1) -> None:
        """Count steps, and write a line if one is due."""
        self._done += steps
        self._text = text
        if self._clock() >= self._due:
            self._write()

    def end(self) -> None:
        """Write the last line, unless it was written already or the work was short."""
        if self._clock() - self._began >= FIRST_LINE and self._written != self._done:
            self._write()

    def _write(self) -> None:
        """Write how far the work has come."""
        now = self._clock()
        self._due, self._written = now + INTERVAL, self._done
        seconds = now - self._began
        text = f", {self._text}" if self._text else ""
        line = f"{self._label}: {self._done} of {self._total} after {seconds:.0f} s{text}"
        print(line, file=sys.stderr, flush=True)
