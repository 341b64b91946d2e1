"""What does the machinery of sweeps cost? Ratios within one run, medians of interleaved ones.

Run it with `make bench-sweep`; some minutes on two cores.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from time import perf_counter, process_time

from distributed import LocalCluster
from tables import show, where

from legatee import Grid, simulate
from legatee.sweep.declare import Sweep, block_of
from legatee.sweep.run import fill
from legatee.work.processes import ProcessPool
from legatee.work.workers import dask, executor
from legatee.world.setting import EXAMPLE

ROUNDS = 3
PHASE = replace(
    EXAMPLE,
    steps=400,
    upstream=replace(EXAMPLE.upstream, n=100),
    downstream=replace(EXAMPLE.downstream, n=40),
)
TINY = replace(
    EXAMPLE,
    m=2,
    steps=5,
    upstream=replace(EXAMPLE.upstream, n=8),
    downstream=replace(EXAMPLE.downstream, n=8),
)
ALONE = """
import statistics, sys
from pathlib import Path
from time import perf_counter
here, folder, cells, rounds = sys.argv[1:]
sys.path.insert(0, here)
from sweep_speed import seconds, tiny
from legatee.work.processes import ProcessPool
from legatee.sweep.run import fill
from legatee.work.workers import executor
if __name__ == "__main__":
    with ProcessPool(2) as pool:
        fill(tiny(1000), Path(folder, "warm"), workers=executor(pool))
        took = [
            seconds(perf_counter, fill, tiny(int(cells)), Path(folder, str(turn)),
                    workers=executor(pool))
            for turn in range(int(rounds))
        ]
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    print(statistics.median(took), int(status["VmHWM"].split()[0]) / 1024)
"""


def phase(u_norms: int, seeds: int) -> Sweep:
    """Return a piece of the phase diagram: cells as published figures have them."""
    axes = {"u_norm": [0.1 * (i + 1) for i in range(u_norms)], "d": [1000, 2000, 4000, 8000]}
    return Sweep(grid=Grid(base=PHASE, axes=axes), seeds=tuple(range(seeds)))


def tiny(cells: int) -> Sweep:
    """Return a sweep of the smallest cells, where the machinery weighs most."""
    axes = {"alpha": [i / 9 for i in range(10)], "d": [100 + i for i in range(cells // 100)]}
    return Sweep(grid=Grid(base=TINY, axes=axes), seeds=tuple(range(10)))


def seconds(clock: Callable[[], float], do: Callable, *args: object, **more: object) -> float:
    """Return how long a call takes by a clock."""
    began = clock()
    do(*args, **more)
    return clock() - began


def overhead() -> None:
    """Compare a sweep, and a resumed one, with the bare simulation of the same cells."""
    rows, names = [], count()
    cases = {"phase diagram": phase(8, 30), "tiny cells": tiny(20_000)}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as here:
        for name, sweep in cases.items():
            bare, swept, again = [], [], []
            simulate(sweep.grid[0], 2)
            for _ in range(ROUNDS):
                out = Path(folder, str(next(names)))
                bare.append(seconds(process_time, simulate, sweep.grid, sweep.seeds))
                swept.append(seconds(process_time, fill, sweep, out, workers=executor(here)))
                again.append(seconds(process_time, fill, sweep, out, workers=executor(here)))
            extra = statistics.median(s / b for s, b in zip(swept, bare, strict=True)) - 1
            resumed = statistics.median(a / b for a, b in zip(again, bare, strict=True))
            block = block_of(sweep)
            cells = sweep.cells
            each = 1e3 * statistics.median(bare) / cells
            rows.append([name, cells, f"{each:.2f} ms", block, f"{extra:+.1%}", f"{resumed:.1%}"])
    show(
        "Processor time of a sweep over the bare simulation of the same cells",
        ["cells are of", "cells", "one takes", "block", "sweep", "finished, asked again"],
        rows,
    )


def per_cell() -> None:
    """Show time of a cell, and memory of the command, over the number of cells."""
    rows, here = [], str(Path(__file__).parent)
    for cells in (100, 1000, 10_000, 100_000):
        rounds = 1 if cells > 10_000 else ROUNDS
        with tempfile.TemporaryDirectory() as folder:
            words = [sys.executable, "-c", ALONE, here, folder, str(cells), str(rounds)]
            said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        took, memory = map(float, said.split())
        rows.append([f"{cells:,}", f"{1e3 * took / cells:.2f} ms", f"{memory:.0f} MiB"])
    show(
        "Cost of a tiny cell on two warm processes, and the command's greatest memory",
        ["cells", "a cell takes", "memory"],
        rows,
    )


def engines() -> None:
    """Compare two local Dask workers with a pool of two processes, both warm."""
    sweep, warm = phase(10, 40), phase(1, 4)
    pooled, dasked = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        ProcessPool(2) as pool,
    ):
        ways = {"pool": executor(pool), "dask": dask(cluster.scheduler_address)}
        for name, workers in ways.items():
            for turn in range(2):
                fill(warm, Path(folder, f"warm-{name}-{turn}"), workers=workers)
        for turn in range(ROUNDS):
            for name, found in (("pool", pooled), ("dask", dasked)):
                out = Path(folder, f"{name}-{turn}")
                found.append(seconds(perf_counter, fill, sweep, out, workers=ways[name]))
    ratios = sorted(d / p for d, p in zip(dasked, pooled, strict=True))
    show(
        "Two local Dask workers over a pool of two processes",
        ["cells", "pool", "Dask over pool", "least", "most"],
        [
            [
                sweep.cells,
                f"{statistics.median(pooled):.1f} s",
                f"{statistics.median(ratios):.2f}",
                f"{ratios[0]:.2f}",
                f"{ratios[-1]:.2f}",
            ]
        ],
    )


if __name__ == "__main__":
    print(where())
    overhead()
    engines()
    per_cell()
