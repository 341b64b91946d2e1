"""Tables as the README of this folder shows them."""

import platform
import subprocess
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import version


def show(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    print(f"\n### {title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |", flush=True)


def where() -> str:
    """Return the machine, version, commit and date, for the record."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return f"{platform.machine()}, legatee {version('legatee')} at {commit}, {date.today()}"
