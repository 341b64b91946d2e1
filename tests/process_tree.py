"""Which processes a process has started, and whether they are still alive (Linux)."""

from pathlib import Path


def children(parent):
    """Processes that a process has started."""
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _stat(path)[1:2] == [parent]]


def alive(pid):
    return _stat(Path("/proc") / str(pid))[:1] not in ([], ["Z"])


def _stat(path):
    """State and parent of a process; an empty list if it has ended."""
    try:
        state, parent = (path / "stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return []
    return [state, int(parent)]
