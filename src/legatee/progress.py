"""A bar for whoever watches a terminal, and silence for everybody else."""

import sys
from collections.abc import Iterator
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


class Advance(Protocol):
    """What is called after each step."""

    def __call__(self, text: str = "", steps: int = 1) -> None:
        """Move the bar on.

        Args:
            text: What to say beside it, such as the latest score.
            steps: By how many steps [count].
        """


@contextmanager
def track(total: int, label: str, *, shown: bool = True) -> Iterator[Advance]:
    """Show a bar on standard error while the block runs, and nothing unless that is a terminal.

    Args:
        total: Steps to come [count].
        label: What they are.
        shown: Whether the caller was asked to show one at all.

    Yields:
        A function to call after each step, with an optional text to show.

    Example:
        >>> with track(2, "seeds") as advance:
        ...     for seed in range(2):
        ...         advance(f"seed {seed}")
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda text="", steps=1: None
        return
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
