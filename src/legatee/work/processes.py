"""Processes of this machine, each of which may be lost without harm to the others."""

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any

_SPAWN = multiprocessing.get_context("spawn")  # a fork would copy locks that other threads hold


class Lost(Exception):
    """A process ended before its work did."""


class Processes(Executor):
    """An executor like ``ProcessPoolExecutor`` that outlives the processes it loses.

    When a process ends, only the call that it was at fails, with :class:`Lost`, and the next call
    starts another one. Processes do not see Ctrl-C, and end when this process ends, however it
    ends.

    Args:
        count: How many, started as they are needed [count].

    Example:
        >>> with Processes(1) as pool:
        ...     pool.submit(pow, 2, 5).result()
        32
    """

    def __init__(self, count: int):
        self._calls: SimpleQueue[tuple[Future, bytes] | None] = SimpleQueue()
        self._started: list[Any] = []
        self._closing, self._lock = False, Lock()
        resource_tracker.ensure_running()  # which, when it starts, lets Ctrl-C through
        self._lanes = [Thread(target=self._lane, daemon=True) for _ in range(count)]
        for lane in self._lanes:
            lane.start()

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        """Have a function called in a process.

        Args:
            fn: The function, of a module that the process can import.
            *args: What to give it.
            **kwargs: What to give it by name.

        Returns:
            Its result to come.

        Raises:
            RuntimeError: If the processes have been shut down.
        """
        if self._closing:
            raise RuntimeError("the processes have been shut down")
        future: Future = Future()
        self._calls.put((future, pickle.dumps((fn, args, kwargs))))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all processes, whatever they are at; what they have not done fails.

        Args:
            wait: Whether to wait until they have ended.
            cancel_futures: Whether to; they are in any case.
        """
        with self._lock:
            self._closing = True
            for process in self._started:
                process.kill()
        for _ in self._lanes:
            self._calls.put(None)
        if wait:
            for ending in (*self._lanes, *self._started):
                ending.join()

    def _lane(self) -> None:
        """Hand call after call to a process, and to another one when it is lost."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # what is started here inherits
        process: Any = None
        pipe: Any = None
        while call := self._calls.get():
            future, work = call
            if self._closing or not future.set_running_or_notify_cancel():
                future.cancel()
                continue
            try:
                if process is None:
                    process, pipe = self._start()
                pipe.send_bytes(work)
                good, found = pickle.loads(pipe.recv_bytes())
                (future.set_result if good else future.set_exception)(found)
            except (EOFError, OSError) as error:
                future.set_exception(Lost(_how_it_ended(process) if process else str(error)))
                process = None
            except Exception as error:  # what came back cannot be unpickled
                future.set_exception(error)

    def _start(self) -> tuple[Any, Any]:
        """Start a process, unless all are to end."""
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_serve, args=(theirs,), daemon=True)
        with self._lock:
            process.start()
            self._started.append(process)
            if self._closing:
                process.kill()
        theirs.close()  # so that the end of the process is the end of the pipe
        return process, ours


def _how_it_ended(process: Any) -> str:
    """Return how a process ended."""
    process.join()
    code = process.exitcode
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _serve(calls: Connection) -> None:
    """In a process: do what comes, until the parent has ended."""
    Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            do, args, kwargs = pickle.loads(calls.recv_bytes())
            try:
                answer = (True, do(*args, **kwargs))
            except Exception as error:
                answer = (False, error)
            calls.send_bytes(_packed(answer))


def _packed(answer: tuple[bool, Any]) -> bytes:
    """Return an answer as bytes, or in words if it cannot be pickled."""
    try:
        return pickle.dumps(answer)
    except Exception:
        return pickle.dumps((False, RuntimeError(repr(answer[1]))))


def _end_with_parent() -> None:
    """Wait until the parent has ended, then end at once: what is not marked done is done again."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
