"""A sweep on a real Dask cluster that loses workers, and its scheduler."""

import os
import signal
import subprocess
import sys
import threading
import time

import dask
import pytest
from distributed import LocalCluster
from sweep_cases import SECONDS, chunks, marks, sweep_of, undisturbed

from legatee.cli.sweep import workers_of
from legatee.errors import LegateeError
from legatee.sweep import declare
from legatee.sweep.run import fill
from legatee.work import workers as work
from legatee.work.workers import dask as workers_of_dask

SEEDS = 150


@pytest.fixture(scope="module")
def cluster():
    patient = {"distributed.deploy.lost-worker-timeout": "10m"}  # a busy machine starts slowly
    with (
        dask.config.set(patient),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as started,
    ):
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
    fill(sweep_of(SEEDS), folder, workers=workers_of_dask(cluster.scheduler_address))
    killer.join()
    assert len(set(killed)) == 2
    assert chunks(folder) == expected


def test_a_lost_scheduler_is_one_sentence(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(work, "TIMEOUT", 2)
    file = tmp_path / "scheduler.json"
    words = ("--port", "0", "--scheduler-file", str(file), "--no-dashboard")
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", *words]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as scheduler:
        while not (file.exists() and file.read_text().strip()):
            time.sleep(0.05)
        workers = workers_of(2, str(file))
        threading.Timer(1, scheduler.kill).start()
        with pytest.raises(LegateeError, match="the workers are gone") as caught:
            fill(sweep_of(2), tmp_path / "sweep", workers=workers)
    assert "\n" not in str(caught.value)
    assert not caplog.records
