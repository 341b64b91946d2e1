"""Running tasks on workers: local processes, a Dask cluster, or any executor.

Workers write their results to disk themselves, and any of them may be killed at any moment. A task
whose worker was lost is given to another worker.
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
from legatee.work.processes import ProcessPool, WorkerLostError

Item = TypeVar("Item")
Result = TypeVar("Result")
ATTEMPTS = 3  # workers that a task may lose before it is given up [count]
TIMEOUT = 10  # for the Dask scheduler to answer [s]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Workers that have been started.

    Attributes:
        executor: Runs the tasks.
        capacity: Returns how many tasks it may hold at a time; called before each submission,
            because workers may join and leave [count].
        lost_errors: Exceptions of the executor that mean that one worker was lost and the others
            are still there.
    """

    executor: Executor
    capacity: Callable[[], int]
    lost_errors: tuple[type[BaseException], ...] = (
        WorkerLostError,
        BrokenExecutor,
        CancelledError,
    )


Workers = Callable[[], AbstractContextManager[Pool]]
"""Starts workers when called: the type that ``processes``, ``dask`` and ``executor`` return."""


def processes(count: int) -> Workers:
    """Run tasks in processes of this machine, one thread each.

    Args:
        count: Number of processes [count].

    Returns:
        Workers that end when this process ends, for whatever reason.
    """

    @contextmanager
    def start() -> Iterator[Pool]:
        with ProcessPool(count) as pool:
            yield Pool(executor=pool, capacity=lambda: count + 1)

    return start


def dask(address: str) -> Workers:
    """Run tasks on a Dask cluster, whose workers must see the same files.

    Args:
        address: Address of its scheduler, such as ``"tcp://10.0.0.1:8786"``.

    Returns:
        Its workers; they may join and leave at any time.

    Raises:
        LegateeError: If dask.distributed is not installed; and, when the workers are started, if
            the scheduler does not answer.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise LegateeError("--dask needs dask.distributed: pip install 'legatee[dask]'") from error

    @contextmanager
    def start() -> Iterator[Pool]:
        try:
            client = Client(address, timeout=TIMEOUT, set_as_default=False)
        except Exception as error:  # Dask raises many types
            raise LegateeError(
                f"the Dask scheduler at {address!r} does not answer within {TIMEOUT} s: {error}"
            ) from error
        with _silenced("distributed.client"), client:  # a lost scheduler is reported by _submitting
            yield Pool(
                executor=client.get_executor(pure=False),
                capacity=lambda: 2 * max(sum(client.nthreads().values()), 1),
                lost_errors=(*Pool.lost_errors, KilledWorker),
            )

    return start


@contextmanager
def _silenced(name: str) -> Iterator[None]:
    """Silence a logger."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def executor(pool: Executor, capacity: int = 16) -> Workers:
    """Run tasks on an executor that the caller has opened and will close.

    Args:
        pool: An object with ``submit(function, ...)`` as in ``concurrent.futures``.
        capacity: Tasks that it may hold at a time [count].

    Returns:
        Its workers.
    """

    @contextmanager
    def start() -> Iterator[Pool]:
        yield Pool(executor=pool, capacity=lambda: capacity)

    return start


def each(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: Workers,
    on_result: Callable[[Item, Result], None],
) -> list[tuple[Item, str]]:
    """Call a function with each item on the workers, whichever of them are lost meanwhile.

    A task whose worker was lost is tried again, :data:`ATTEMPTS` times in all.

    Args:
        function: Called on a worker, possibly more than once for an item.
        items: Its arguments; taken one by one as workers become free.
        workers: Where it is called.
        on_result: Called in this process after each item, with the item and the result.

    Returns:
        Items that failed, each with the reason.

    Raises:
        OutputError: If a worker cannot write: the others could not either.
        LegateeError: If no worker completed any task, or all workers are gone.
    """
    coming, retries = enumerate(items), deque[tuple[int, Item]]()
    losses, failed, succeeded = Counter[int](), list[tuple[Item, str]](), False
    running: dict[Future, tuple[int, Item]] = {}
    with workers() as pool:
        while True:
            with _submitting():
                while len(running) < pool.capacity():
                    if (task := retries.popleft() if retries else next(coming, None)) is None:
                        break
                    running[pool.executor.submit(function, task[1])] = task
            if not running:
                return failed
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                number, item = running.pop(future)
                ending, result = _outcome(future, pool.lost_errors)
                if ending == "done":
                    succeeded = True
                    on_result(item, result)
                elif ending == "failed":
                    failed.append((item, result))
                elif losses[number] + 1 < ATTEMPTS:
                    losses[number] += 1
                    retries.append((number, item))
                elif not succeeded:
                    raise LegateeError(f"no worker completed a single task: {result}")
                else:
                    failed.append((item, f"{result}, {ATTEMPTS} times"))


def _outcome(future: Future, lost_errors: tuple[type[BaseException], ...]) -> tuple[str, Any]:
    """Return how a task ended (done, lost or failed), and its result or the reason."""
    try:
        return "done", future.result()
    except lost_errors as error:
        return "lost", f"its worker was lost ({error})"
    except OutputError:
        raise
    except Exception as error:
        return "failed", str(error) or type(error).__name__


@contextmanager
def _submitting() -> Iterator[None]:
    """Report an executor that is broken or closed."""
    try:
        yield
    except (BrokenExecutor, CancelledError, RuntimeError, OSError) as error:
        raise LegateeError(
            f"the workers are gone: {error}; completed tasks are kept, and the same command "
            "resumes with new workers"
        ) from error
