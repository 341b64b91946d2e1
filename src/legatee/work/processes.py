"""A pool of local processes in which the loss of one process does not affect the others."""

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


class WorkerLostError(Exception):
    """A worker process ended before it finished its call."""


class ProcessPool(Executor):
    """An executor like ``ProcessPoolExecutor`` that survives the loss of its processes.

    When a process ends, only the call that it was running fails, with :class:`WorkerLostError`;
    the next call starts a new process. The processes ignore Ctrl-C, and end when this process
    ends, for whatever reason.

    Args:
        count: Number of processes; each is started when it is first needed [count].

    Example:
        >>> with ProcessPool(1) as pool:
        ...     pool.submit(pow, 2, 5).result()
        32
    """

    def __init__(self, count: int):
        self._calls: SimpleQueue[tuple[Future, bytes] | None] = SimpleQueue()
        self._processes: list[Any] = []
        self._closing, self._lock = False, Lock()
        resource_tracker.ensure_running()  # before Ctrl-C is blocked: starting it unblocks it
        self._threads = [Thread(target=self._run_calls, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable, /, *args: Any, **kwargs: Any) -> Future:
        """Call a function in one of the processes.

        Args:
            fn: The function, from a module that the process can import.
            *args: Its positional arguments.
            **kwargs: Its keyword arguments.

        Returns:
            A future of its result.

        Raises:
            RuntimeError: If the pool has been shut down.
        """
        if self._closing:
            raise RuntimeError("the process pool has been shut down")
        future: Future = Future()
        self._calls.put((future, pickle.dumps((fn, args, kwargs))))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Kill all processes; running calls fail and waiting calls are cancelled.

        Args:
            wait: Whether to wait until the processes have ended.
            cancel_futures: Has no effect: waiting calls are always cancelled.
        """
        with self._lock:
            self._closing = True
            for process in self._processes:
                process.kill()
        for _ in self._threads:
            self._calls.put(None)
        if wait:
            for task in (*self._threads, *self._processes):
                task.join()

    def _run_calls(self) -> None:
        """In a thread: run call after call in one process, and replace the process if it ends."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the process inherits this
        process: Any = None
        pipe: Any = None
        while call := self._calls.get():
            future, message = call
            if self._closing or not future.set_running_or_notify_cancel():
                future.cancel()
                continue
            try:
                if process is None:
                    process, pipe = self._start()
                pipe.send_bytes(message)
                succeeded, result = pickle.loads(pipe.recv_bytes())
                (future.set_result if succeeded else future.set_exception)(result)
            except (EOFError, OSError) as error:
                reason = _exit_reason(process) if process else str(error)
                future.set_exception(WorkerLostError(reason))
                process = None
            except Exception as error:  # the result cannot be unpickled
                future.set_exception(error)

    def _start(self) -> tuple[Any, Any]:
        """Start a process, and kill it at once if the pool is shutting down."""
        parent_end, child_end = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_serve, args=(child_end,), daemon=True)
        with self._lock:
            process.start()
            self._processes.append(process)
            if self._closing:
                process.kill()
        child_end.close()  # so that the pipe closes when the process ends
        return process, parent_end


def _exit_reason(process: Any) -> str:
    """Return how a process ended, such as "killed by SIGKILL"."""
    process.join()
    code = process.exitcode
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"


def _serve(calls: Connection) -> None:
    """In a worker process: run the calls that arrive, until the parent has ended."""
    Thread(target=_exit_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        while True:
            function, args, kwargs = pickle.loads(calls.recv_bytes())
            try:
                result = (True, function(*args, **kwargs))
            except Exception as error:
                result = (False, error)
            calls.send_bytes(_pickled(result))


def _pickled(result: tuple[bool, Any]) -> bytes:
    """Return a result as bytes, or an error that names it if it cannot be pickled."""
    try:
        return pickle.dumps(result)
    except Exception:
        return pickle.dumps((False, RuntimeError(repr(result[1]))))


def _exit_with_parent() -> None:
    """Wait until the parent has ended, then exit at once: unfinished tasks are computed again."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
