"""Where the commands print: a console that wraps text on a terminal and nowhere else."""

import sys

from rich.console import Console

UNLIMITED = 100_000  # characters; Rich needs a number


def console(*, stderr: bool = False) -> Console:
    """Return a console for text and tables.

    Args:
        stderr: Whether it prints on standard error rather than on standard output.

    Returns:
        A console as wide as the terminal; where there is none, such as in a pipe, no line is
        wrapped.
    """
    made = Console(stderr=stderr, highlight=False)
    if not (sys.stderr if stderr else sys.stdout).isatty():
        made.width = UNLIMITED
    return made
