"""Who does the work: processes of this machine, a Dask cluster, or any executor; none is trusted.

Workers write what they compute themselves, and all of them may be killed at any moment. Whatever
was not finished when its worker was lost is given to another one.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from legatee.errors import LegateeError, OutputError
from legatee.work.processes import Lost, Processes

Item = TypeVar("Item")
CHANCES = 3  # how often a piece of work may lose its worker [count]
TIMEOUT = 10  # for the scheduler to answer [s]


@dataclass(frozen=True, kw_only=True)
class Crew:
    """Workers that are there.

    Attributes:
        executor: Where work is given.
        room: How much work it shall have at a time, asked again and again, because workers come
            and go [count].
        lost: What the executor raises where a worker is lost and others are left.
    """

    executor: Executor
    room: Callable[[], int]
    lost: tuple[type[BaseException], ...] = (Lost, BrokenExecutor, CancelledError)


Workers = Callable[[], AbstractContextManager[Crew]]
"""Workers to come: what ``processes``, ``dask`` and ``executor`` return."""


def processes(count: int) -> Workers:
    """Return processes of this machine, one thread each.

    Args:
        count: How many [count].

    Returns:
        Workers that end with this process, however it ends.
    """

    @contextmanager
    def opened() -> Iterator[Crew]:
        with Processes(count) as pool:
            yield Crew(executor=pool, room=lambda: count + 1)

    return opened


def dask(address: str) -> Workers:
    """Return the workers of a Dask cluster, which must see the same files.

    Args:
        address: Of its scheduler, such as ``"tcp://10.0.0.1:8786"``.

    Returns:
        Its workers; more may join, and all may leave, at any time.

    Raises:
        LegateeError: If dask.distributed is not installed; and, when the work begins, if the
            scheduler does not answer.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise LegateeError("--dask needs dask.distributed: pip install 'legatee[dask]'") from error

    @contextmanager
    def opened() -> Iterator[Crew]:
        try:
            client = Client(address, timeout=TIMEOUT, set_as_default=False)
        except Exception as error:  # what Dask raises has many types
            raise LegateeError(
                f"the Dask scheduler at {address!r} does not answer within {TIMEOUT} s: {error}"
            ) from error
        with _quiet("distributed.client"), client:  # when its scheduler is lost we say so
            yield Crew(
                executor=client.get_executor(pure=False),
                room=lambda: 2 * max(sum(client.nthreads().values()), 1),
                lost=(*Crew.lost, KilledWorker),
            )

    return opened


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Keep a logger from talking."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def executor(given: Executor, room: int = 16) -> Workers:
    """Return the workers of an executor that somebody else has opened and will close.

    Args:
        given: What understands ``submit(function, ...)`` as ``concurrent.futures`` does.
        room: Units of work that it shall have at a time [count].

    Returns:
        Its workers.
    """

    @contextmanager
    def opened() -> Iterator[Crew]:
        yield Crew(executor=given, room=lambda: room)

    return opened


def each(
    do: Callable[[Item], Any],
    items: Iterable[Item],
    workers: Workers,
    done: Callable[[Item, Any], None],
) -> list[tuple[Item, str]]:
    """Do something with each item, and go on whatever becomes of a worker.

    Args:
        do: What to do; sent to the workers, and may be done twice for an item.
        items: What to do it with; taken one by one as workers are free.
        workers: Who does it.
        done: Called in this process after each item, with what ``do`` returned.

    Returns:
        Items that failed, each with the reason.

    Raises:
        OutputError: If a worker cannot write: the others could not either.
        LegateeError: If there are no workers any more.
    """
    coming, again = enumerate(items), deque[tuple[int, Item]]()
    losses, failed, succeeded = Counter[int](), list[tuple[Item, str]](), False
    waiting: dict[Future, tuple[int, Item]] = {}
    with workers() as crew:
        while True:
            with _still_there():
                while len(waiting) < crew.room():
                    if (given := again.popleft() if again else next(coming, None)) is None:
                        break
                    waiting[crew.executor.submit(do, given[1])] = given
            if not waiting:
                return failed
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                number, item = waiting.pop(future)
                end, found = _outcome(future, crew.lost)
                if end == "done":
                    succeeded = True
                    done(item, found)
                elif end == "lost" and losses[number] + 1 < CHANCES:
                    losses[number] += 1
                    again.append((number, item))
                elif end == "lost" and not succeeded:
                    raise LegateeError(f"the workers do not get to work: {found}")
                else:
                    failed.append((item, f"{found}, {CHANCES} times" if end == "lost" else found))


def _outcome(future: Future, lost: tuple[type[BaseException], ...]) -> tuple[str, Any]:
    """Return how work ended, and what it returned or why it did not."""
    try:
        return "done", future.result()
    except lost as error:
        return "lost", f"its worker was lost ({error})"
    except OutputError:
        raise
    except Exception as error:
        return "failed", str(error) or type(error).__name__


@contextmanager
def _still_there() -> Iterator[None]:
    """Say that an executor is broken or closed."""
    try:
        yield
    except (BrokenExecutor, CancelledError, RuntimeError, OSError) as error:
        raise LegateeError(
            f"the workers are gone: {error}; what was finished is kept, and the same command "
            "goes on with others"
        ) from error
