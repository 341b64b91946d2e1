"""A sweep killed 20 times, and one on Dask that loses 5 workers: is every chunk the same?

Run it with `python benchmarks/sweep_kills.py`; some minutes. `--kills N` and `--losses N` change
the numbers; moments are random and told by the seed.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import dask
import pytest
from distributed import LocalCluster
from tables import show, where

from legatee.sweep import declare
from legatee.sweep.run import fill
from legatee.work.workers import dask as dask_workers

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "sweep"))
import sweep_cases as cases


def killed(kills: int, seeds: int, expected: dict[str, bytes]) -> list[object]:
    """Kill the command at random moments, resume it until it is done, and compare."""
    moments, done, starts = random.Random(2026), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        file, out = cases.toml(Path(folder, "grid.toml"), seeds), Path(folder, "grid")
        early = alone = 0
        while done < kills:
            process = cases.command(file, "--workers", 2)
            starts += 1
            before = cases.marks(out)
            # one in four while it starts or lays out, the others while it computes
            if moments.random() < 0.25:
                time.sleep(moments.uniform(0, 4))
            elif not cases.until_more_is_done(out, process):
                break
            time.sleep(moments.uniform(0, 1))
            if process.poll() is not None:
                break
            group = moments.random() < 0.5
            workers = cases.kill(process, group)
            done, alone = done + 1, alone + (not group)
            early += cases.marks(out) == before
            while any(map(cases.alive, workers)):
                time.sleep(0.02)
        finished = cases.marks(out)
        cases.result(cases.command(file, "--workers", 2))
        same = cases.chunks(out) == expected
        left = sum(1 for _ in out.rglob("*.partial"))
    return [
        f"{done} kills, {alone} of the parent alone",
        f"{early} before any block was finished",
        f"{finished} blocks before the last start",
        f"{left} torn files left",
        same,
    ]


def lost(losses: int, seeds: int, expected: dict[str, bytes]) -> list[object]:
    """Kill workers of a local Dask cluster while a sweep runs on it, and compare."""
    gone: list[int] = []

    def kill_some(cluster: LocalCluster, out: Path) -> None:
        for number in range(losses):
            before = cases.marks(out)
            while cases.marks(out) < before + 2:
                time.sleep(0.01)
            nannies = list(cluster.workers.values())
            running = [n.pid for n in nannies if n.pid is not None and n.pid not in gone]
            gone.append(random.Random(number).choice(running))
            os.kill(gone[-1], signal.SIGKILL)

    patient = {"distributed.deploy.lost-worker-timeout": "10m"}  # a busy machine starts slowly
    with (
        tempfile.TemporaryDirectory() as folder,
        dask.config.set(patient),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        out = Path(folder, "sweep")
        killer = threading.Thread(target=kill_some, args=(cluster, out), daemon=True)
        killer.start()
        fill(cases.sweep_of(seeds), out, workers=dask_workers(cluster.scheduler_address))
        same = cases.chunks(out) == expected
    return [f"{len(gone)} workers lost", "", "", "", same]


def main() -> None:
    """Kill, compare and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--losses", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        expected = cases.undisturbed(cases.sweep_of(asked.seeds), folder, patch)
        assert declare.BLOCK_SECONDS == cases.SECONDS
        rows = [
            ["processes", *killed(asked.kills, asked.seeds, expected)],
            ["Dask", *lost(asked.losses, asked.seeds, expected)],
        ]
    files = f"all {len(expected)} files the same"
    show(f"Killed sweeps ({where()})", ["workers", "", "", "", "", files], rows)
    sys.exit(not all(row[-1] for row in rows))


if __name__ == "__main__":
    main()
