"""How every file of legatee is written: beside its place first, then renamed into it."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from legatee.errors import OutputError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path that takes the place of ``path`` when the block succeeds.

    A block that fails or is killed leaves ``path`` as it was; nobody ever sees it half-written.

    Args:
        path: The file to write; its folder is made when missing.

    Yields:
        A path in the same folder, to be written by the caller.

    Raises:
        OutputError: If the folder cannot be made or written, or the disk is full.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with replacing(folder / "note.txt") as beside:
        ...     _ = beside.write_text("whole")
        >>> [file.name for file in folder.iterdir()]
        ['note.txt']
    """
    final = Path(path)
    beside: Path | None = None
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=final.parent, prefix=f".{final.name}.")
        os.close(handle)
        beside = Path(name)
        yield beside
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.chmod(0o666 & ~_umask())  # mkstemp made it private
        beside.replace(final)
    except OSError as error:
        raise OutputError(f"cannot write {str(final)!r}: {error.strerror or error}") from error
    finally:
        if beside is not None:
            beside.unlink(missing_ok=True)


def writable_folder(path: str | os.PathLike[str]) -> Path:
    """Return a folder that can be written to, made if missing; refused before any work is done.

    Args:
        path: The folder.

    Returns:
        The same.

    Raises:
        OutputError: If it is no folder, or cannot be made or written.
    """
    folder = Path(path)
    with replacing(folder / ".writable") as probe:
        probe.touch()
    (folder / ".writable").unlink(missing_ok=True)  # another process may probe, too
    return folder


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` in UTF-8, all or nothing.

    Args:
        path: The file to write.
        text: What it shall hold.

    Raises:
        OutputError: If it cannot be written.
    """
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def _umask() -> int:
    """Return the process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
