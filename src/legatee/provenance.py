"""Where results come from: version, commit, command and date."""

import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def provenance(command: str) -> dict[str, str]:
    """Return where results come from.

    Args:
        command: What was typed or called.

    Returns:
        ``version``, ``commit`` (empty where this is no checkout), ``command`` and ``date``.
    """
    return {
        "version": version("legatee"),
        "commit": _commit(),
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _commit() -> str:
    """Return the commit of the checkout that this file lies in, with a + if it was changed."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=here,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # no git
        return ""
    return found.stdout.strip()
