"""How every file of legatee is written: beside its place first, then renamed into it."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from legatee.errors import OutputError

try:
    import fcntl
except ImportError:  # not a POSIX system: what a killed process left is not swept up there
    fcntl = None  # type: ignore[assignment]

NO_SUCH_FILE = "no such file or folder"
MARK = ".legatee-tmp-"  # part of the name of every file that is being written
KEPT = 40  # characters of the final name that are kept in a temporary one


@dataclass(frozen=True, kw_only=True)
class PathStatus:
    """What is at a path.

    Attributes:
        is_file: Whether it is a file.
        is_folder: Whether it is a folder.
        exists: Whether there is anything.
        problem: Why there is nothing, or why it cannot be told: such as ``"no such file or
            folder"``, ``"File name too long"`` or ``"Permission denied"``; empty where there is
            something.
    """

    is_file: bool = False
    is_folder: bool = False
    exists: bool = False
    problem: str = ""


def path_status(path: str | os.PathLike[str]) -> PathStatus:
    """Look at what is at a path; unlike the methods of ``Path`` this never raises.

    Args:
        path: Any path, also one that is too long or in a folder that may not be searched.

    Returns:
        What is there.

    Example:
        >>> path_status("/").is_folder, path_status("/no/such/file").problem
        (True, 'no such file or folder')
        >>> path_status("a" * 1000).problem
        'File name too long'
    """
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return PathStatus(problem=NO_SUCH_FILE)
    except (OSError, ValueError) as error:  # a ValueError for a zero byte in the path
        return PathStatus(problem=getattr(error, "strerror", None) or str(error))
    return PathStatus(is_file=stat.S_ISREG(mode), is_folder=stat.S_ISDIR(mode), exists=True)


def paths_in(folder: str | os.PathLike[str], pattern: str) -> list[Path]:
    """List what is in a folder under names of a pattern.

    Args:
        folder: The folder; an empty list if it is missing.
        pattern: As ``Path.glob`` takes it.

    Returns:
        The paths, sorted.

    Raises:
        OutputError: If the folder cannot be listed.
    """
    try:
        return sorted(Path(folder).glob(pattern))
    except OSError as error:  # such as too many open files
        raise OutputError(f"cannot list {os.fspath(folder)!r}: {error.strerror}") from error


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path that takes the place of ``path`` when the block succeeds.

    If the block fails or the process is killed, ``path`` is as it was; nobody ever sees it
    half-written. What a killed process left in the folder is deleted the next time that a file is
    written to it.

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
    lock: int | None = None
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        _sweep(final.parent)
        lock, beside = _locked(final)
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
        if lock is not None:
            os.close(lock)


@contextmanager
def folder_beside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty temporary folder beside ``path``, for the caller to fill and to rename.

    What is left of it when the block ends is deleted; what a killed process left is deleted the
    next time that a file or folder is written beside it.

    Args:
        path: What the folder is to become; the folder above it is made when missing.

    Yields:
        The temporary folder.

    Raises:
        OSError: If it cannot be made.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    _sweep(final.parent)
    lock, temporary = _locked_folder(final)
    try:
        temporary.chmod(0o777 & ~_umask())  # mkdtemp made it private
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if lock is not None:
            os.close(lock)


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
        text: The content of the file.

    Raises:
        OutputError: If it cannot be written.
    """
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def _locked(final: Path) -> tuple[int, Path]:
    """Make a temporary file that is locked for as long as this process writes it and lives."""
    while True:
        prefix = f".{final.name[:KEPT]}{MARK}"
        handle, name = tempfile.mkstemp(dir=final.parent, prefix=prefix)
        try:
            _lock(handle, wait=True)
            # In the moment before it was locked another process may have swept it up.
            if Path(name).exists():
                return handle, Path(name)
        except BaseException:
            os.close(handle)
            Path(name).unlink(missing_ok=True)
            raise
        os.close(handle)


def _locked_folder(final: Path) -> tuple[int | None, Path]:
    """Make a temporary folder that is locked for as long as this process fills it and lives."""
    while True:
        prefix = f".{final.name[:KEPT]}{MARK}"
        temporary = Path(tempfile.mkdtemp(dir=final.parent, prefix=prefix))
        if fcntl is None:  # there is nothing to lock with, and nothing is swept up
            return None, temporary
        with suppress(FileNotFoundError):  # in this moment another process may sweep it up
            handle = os.open(temporary, os.O_RDONLY)
            _lock(handle, wait=True)
            if temporary.exists():
                return handle, temporary
            os.close(handle)


def _lock(handle: int, *, wait: bool) -> bool:
    """Lock an open file; ``False`` where another process holds the lock or there are no locks."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _sweep(folder: Path) -> None:
    """Delete what killed processes left: the system has released the locks that they held."""
    for name in os.listdir(folder):  # noqa: PTH208 - Path.iterdir makes a path of every name
        if MARK not in name or not name.startswith("."):
            continue
        left = folder / name
        with suppress(OSError):  # another process may sweep it, or have finished it, meanwhile
            is_folder = left.is_dir()
            handle = os.open(left, os.O_RDONLY if is_folder else os.O_RDWR)
            try:
                if _lock(handle, wait=False):
                    shutil.rmtree(left) if is_folder else left.unlink()
            finally:
                os.close(handle)


def _umask() -> int:
    """Return the process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
