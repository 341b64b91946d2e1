"""Who does the work: processes of this machine, a Dask cluster, or any executor; none is trusted.

Workers write what they compute themselves, and all of them may be killed at any moment. Whatever
was not finished when its worker was lost is given to another one.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from legatee.errors import LegateeError, UnusableOutput

Item = TypeVar("Item")
CHANCES = 3  # how often work is given out again when its worker is lost [count]
TIMEOUT = 10  # for the scheduler to answer [s]


@dataclass(frozen=True, kw_only=True)
class Workers:
    """A way to get work done.

    Attributes:
        name: What it is, for the record.
        opened: Gives an executor, each time a new one.
        at_once: Units of work that it is given at once [count].
        lost: What is raised where a worker is lost and others are left.
        replaceable: Whether a broken executor may be replaced by a new one.
    """

    name: str
    opened: Callable[[], AbstractContextManager[Executor]]
    at_once: int
    lost: tuple[type[BaseException], ...] = ()
    replaceable: bool = True


def processes(count: int) -> Workers:
    """Return processes of this machine, one thread each.

    Args:
        count: How many [count].

    Returns:
        Workers that end with this process, however it ends.
    """

    @contextmanager
    def opened() -> Iterator[Executor]:
        pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _settle)
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.kill()  # nothing is lost: what they were at is not marked done
            raise
        pool.shutdown()

    return Workers(name=f"{count} processes", opened=opened, at_once=count + 1)


def dask(address: str) -> Workers:
    """Return the workers of a Dask cluster, which must see the same files.

    Args:
        address: Of its scheduler, such as ``"tcp://10.0.0.1:8786"``, or the path of its scheduler
            file.

    Returns:
        Its workers.

    Raises:
        LegateeError: If dask.distributed is not installed, or the scheduler does not answer.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise LegateeError("--dask needs dask.distributed: pip install 'legatee[dask]'") from error
    where = {"scheduler_file": address} if address.endswith(".json") else {"address": address}
    try:
        client = Client(**where, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise LegateeError(
            f"the Dask scheduler at {address!r} does not answer within {TIMEOUT} s: {error}"
        ) from error
    threads = sum(client.nthreads().values())

    @contextmanager
    def opened() -> Iterator[Executor]:
        with client.get_executor(pure=False) as executor:
            yield executor

    return Workers(
        name=f"Dask at {address}",
        opened=opened,
        at_once=2 * max(threads, 1),
        lost=(KilledWorker, CancelledError),
    )


def executor(given: Executor, at_once: int = 16) -> Workers:
    """Return the workers of an executor that somebody else has opened and will close.

    Args:
        given: What understands ``submit(function, ...)`` as ``concurrent.futures`` does.
        at_once: Units of work that it is given at once [count].

    Returns:
        Its workers.
    """
    return Workers(
        name=type(given).__name__,
        opened=lambda: nullcontext(given),
        at_once=at_once,
        replaceable=False,
    )


def each(
    do: Callable[[Item], Any],
    items: Iterable[Item],
    workers: Workers,
    done: Callable[[Item, Any], None],
) -> dict[str, Item]:
    """Do something with each item, and go on whatever becomes of a worker.

    Args:
        do: What to do; sent to the workers, and may be done twice for an item.
        items: What to do it with; taken one by one as workers are free.
        workers: Who does it.
        done: Called in this process after each item, with what ``do`` returned.

    Returns:
        Items that failed, by the reason; the first one for each reason.

    Raises:
        UnusableOutput: If a worker cannot write: the others could not either.
        LegateeError: If the executor that was given is broken.
    """
    coming, again, failed = iter(items), deque[Item](), dict[str, Item]()
    losses: dict[str, int] = {}
    while True:
        waiting: dict[Future, Item] = {}
        try:
            with workers.opened() as executor:
                while True:
                    while len(waiting) < workers.at_once and (
                        item := again.popleft() if again else next(coming, None)
                    ):
                        waiting[executor.submit(do, item)] = item
                    if not waiting:
                        return failed
                    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                        _collect(future, waiting, again, losses, failed, workers, done)
        except BrokenExecutor as error:
            if not workers.replaceable:
                raise LegateeError(f"the executor is broken: {error}; give another one") from error
            for item in waiting.values():  # any of them may have killed it
                _once_more(item, again, losses, failed)


def _collect(  # noqa: PLR0913 - the whole state of `each`
    future: Future,
    waiting: dict[Future, Item],
    again: deque[Item],
    losses: dict[str, int],
    failed: dict[str, Item],
    workers: Workers,
    done: Callable[[Item, Any], None],
) -> None:
    """Take one finished piece of work."""
    try:
        found = future.result()
    except (BrokenExecutor, UnusableOutput):
        raise
    except workers.lost:
        _once_more(waiting.pop(future), again, losses, failed)
    except Exception as error:
        failed.setdefault(f"{type(error).__name__}: {error}", waiting.pop(future))
    else:
        done(waiting.pop(future), found)


def _once_more(
    item: Item, again: deque[Item], losses: dict[str, int], failed: dict[str, Item]
) -> None:
    """Give work out again, unless it has lost too many workers already."""
    losses[repr(item)] = losses.get(repr(item), 0) + 1
    if losses[repr(item)] < CHANCES:
        again.append(item)
    else:
        failed[f"its worker was lost {CHANCES} times, perhaps for want of memory"] = item


def _settle() -> None:
    """In a process of the pool: leave Ctrl-C to the parent, and end when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    """Wait until a process has ended, then end this one."""
    parent.join()
    os._exit(1)
