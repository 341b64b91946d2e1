"""A sweep on a real Dask cluster that loses workers, and its scheduler."""

import os
import signal
import threading
import time

import pytest
from distributed import LocalCluster
from sweep_cases import SECONDS, chunks, marks, sweep_of, undisturbed

from legatee.sweep import declare
from legatee.sweep.run import fill
from legatee.sweep.work import dask

SEEDS = 150


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as started:
        yield started


def test_lost_workers_change_no_bit(cluster, tmp_path, monkeypatch):
    expected = undisturbed(sweep_of(SEEDS), tmp_path / "undisturbed", monkeypatch)
    monkeypatch.setattr(declare, "BLOCK_SECONDS", SECONDS)
    folder, killed = tmp_path / "sweep", []

    def kill_some():
        for more in (2, 4):
            while marks(folder) < more:
                time.sleep(0.01)
            victim = cluster.workers[len(killed) % 2].pid
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)

    killer = threading.Thread(target=kill_some)
    killer.start()
    fill(sweep_of(SEEDS), folder, workers=dask(cluster.scheduler_address))
    killer.join()
    assert len(set(killed)) == 2
    assert chunks(folder) == expected
