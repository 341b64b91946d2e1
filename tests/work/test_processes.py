import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from operator import truediv

import pytest

from legatee.work.processes import ProcessPool, WorkerLostError
from process_tree import alive, children
from waiting import until


def test_results_and_errors_come_back():
    with ProcessPool(1) as pool:
        assert pool.submit(pow, 3, 4).result() == 81
        assert pool.submit(int, "101", base=2).result() == 5
        with pytest.raises(ZeroDivisionError):
            pool.submit(truediv, 1, 0).result()
        with pytest.raises(RuntimeError, match="lock"):  # which cannot be sent back
            pool.submit(threading.Lock).result()


def test_calls_share_the_processes():
    with ProcessPool(2) as pool:
        first = pool.submit(os.getpid).result()
        busy = pool.submit(time.sleep, 60)
        until(busy.running)
        others = {pool.submit(os.getpid).result() for _ in range(5)}
    assert len(others) == 1
    assert os.getpid() not in {first, *others}


def test_a_lost_process_takes_only_its_own_call_along():
    with ProcessPool(2) as pool:
        slow = pool.submit(time.sleep, 2)
        killed = pool.submit(signal.raise_signal, signal.SIGKILL)
        with pytest.raises(WorkerLostError, match="killed by SIGKILL"):
            killed.result()
        with pytest.raises(WorkerLostError, match="exited with code 7"):
            pool.submit(os._exit, 7).result()
        assert pool.submit(pow, 2, 3).result() == 8
        assert slow.result() is None


def test_shutting_down_ends_what_is_running_and_nothing_more_is_taken():
    with ProcessPool(1) as pool:
        pid = pool.submit(os.getpid).result()
        running, waiting = pool.submit(time.sleep, 600), pool.submit(pow, 2, 2)
        until(running.running)
    with pytest.raises(WorkerLostError):
        running.result()
    assert waiting.cancelled()
    assert not alive(pid)
    assert not multiprocessing.active_children()
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(pow, 2, 2)


def test_processes_end_with_their_parent_and_leave_ctrl_c_to_it():
    script = textwrap.dedent(
        """
        import os, time
        from legatee.work.processes import ProcessPool
        if __name__ == "__main__":
            pool = ProcessPool(2)
            busy = [pool.submit(time.sleep, 600) for _ in range(2)]
            while not all(call.running() for call in busy): time.sleep(0.01)
            while True:
                try: print("busy", flush=True); time.sleep(600)
                except KeyboardInterrupt: print("interrupted", flush=True)
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout.readline() == "busy\n"
        until(lambda: len(children(parent.pid)) == 3)  # two, and multiprocessing's tracker
        workers = children(parent.pid)
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.stdout.readline() == "interrupted\n"
        assert parent.stdout.readline() == "busy\n"
        time.sleep(0.5)
        assert all(map(alive, workers))
        parent.kill()
        assert parent.stderr.read() == ""
    until(lambda: not any(map(alive, workers)))
