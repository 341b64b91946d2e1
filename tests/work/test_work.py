"""Every task is done, whichever workers are lost."""

import os
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from multiprocessing import get_context
from pathlib import Path

import pytest

from legatee.errors import LegateeError, OutputError
from legatee.work import workers as work
from legatee.work.processes import WorkerLostError
from legatee.work.workers import ATTEMPTS, dask, each, executor, processes


class Scripted(Executor):
    """Does what is to be done at once, but for the errors that a script holds for an item."""

    def __init__(self, script=()):
        self.script = {item: list(errors) for item, errors in dict(script).items()}
        self.given = []

    def submit(self, fn, item):
        self.given.append(item)
        future = Future()
        if errors := self.script.get(item):
            future.set_exception(errors.pop(0))
        else:
            future.set_result(fn(item))
        return future


def squares(items, scripted, capacity=2):
    found = []
    workers = executor(scripted, capacity)
    failed = each(lambda x: x * x, items, workers, lambda item, got: found.append((item, got)))
    return sorted(found), failed


def test_everything_is_done_once():
    scripted = Scripted()
    assert squares(range(7), scripted) == ([(i, i * i) for i in range(7)], [])
    assert sorted(scripted.given) == list(range(7))
    assert squares([], Scripted()) == ([], [])


def test_no_more_is_given_out_than_there_is_room_for():
    class Counting(ThreadPoolExecutor):
        most = 0

        def submit(self, fn, /, *args, **kwargs):
            self.most = max(self.most, self._work_queue.qsize() + 1)
            return super().submit(fn, *args, **kwargs)

    taken = iter(range(10**9))  # which nobody could hold in memory
    found = []

    def done(item, got):
        found.append(got)
        if len(found) == 30:
            raise KeyboardInterrupt

    with Counting(1) as pool, pytest.raises(KeyboardInterrupt):
        each(abs, taken, executor(pool, 3), done)
    assert pool.most <= 3
    assert next(taken) <= 34


@pytest.mark.parametrize("error", [WorkerLostError("gone"), CancelledError(), BrokenExecutor()])
def test_what_loses_its_worker_is_done_again(error):
    scripted = Scripted({3: [error] * (ATTEMPTS - 1)})
    assert squares(range(5), scripted) == ([(i, i * i) for i in range(5)], [])
    assert scripted.given.count(3) == ATTEMPTS


def test_what_loses_every_worker_fails_and_all_others_are_done():
    found, failed = squares(range(5), Scripted({3: [WorkerLostError("killed by SIGKILL")] * 9}))
    assert [item for item, _ in found] == [0, 1, 2, 4]
    assert failed == [(3, "its worker was lost (killed by SIGKILL), 3 times")]


def test_workers_that_never_do_anything_are_given_up():
    broken = Scripted({item: [WorkerLostError("exited with code 1")] * 9 for item in range(100)})
    with pytest.raises(
        LegateeError, match=r"no worker completed a single task.*exited with code 1"
    ):
        squares(range(100), broken)
    assert len(broken.given) < 10


def test_an_error_fails_its_item_only():
    found, failed = squares(range(4), Scripted({1: [ZeroDivisionError("by 0")], 2: [KeyError()]}))
    assert [item for item, _ in found] == [0, 3]
    assert sorted(failed) == [(1, "by 0"), (2, "KeyError")]


def test_a_full_disk_stops_everything():
    scripted = Scripted({5: [OutputError("disk full")]})
    with pytest.raises(OutputError, match="disk full"):
        squares(range(1000), scripted)
    assert len(scripted.given) < 20


def die_unless(path):
    if Path(path).name == "poison":
        os._exit(1)
    return Path(path).name


def test_a_broken_executor_of_the_users_is_said():
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        pytest.raises(LegateeError, match="workers are gone"),
    ):
        each(die_unless, ["poison", "a"], executor(pool), lambda item, found: None)


def test_poison_does_no_harm_to_what_is_done_beside_it():
    items = ["a", "poison", "b", "c", "d"]
    found = []
    failed = each(die_unless, items, processes(2), lambda item, got: found.append(got))
    assert sorted(found) == ["a", "b", "c", "d"]
    assert failed == [("poison", "its worker was lost (exited with code 1), 3 times")]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://", "127.0.0.1:x"])
def test_a_scheduler_that_is_not_there_is_said(address, monkeypatch):
    monkeypatch.setattr(work, "TIMEOUT", 1)
    with pytest.raises(LegateeError, match="does not answer") as caught, dask(address)():
        pass
    assert "\n" not in str(caught.value)
