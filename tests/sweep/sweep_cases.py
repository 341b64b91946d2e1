"""Small sweeps, the command in a process of its own, and what a finished one must hold."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from legatee import Grid
from legatee.sweep import declare
from legatee.sweep.declare import Sweep
from legatee.sweep.run import fill
from legatee.work.workers import executor
from legatee.world.setting import EXAMPLE
from process_tree import children

COMMAND = Path(__file__).with_name("small_blocks.py")
SECONDS = 0.1
SMALL = replace(
    EXAMPLE,
    m=3,
    steps=20,
    upstream=replace(EXAMPLE.upstream, n=30),
    downstream=replace(EXAMPLE.downstream, n=12),
)
TOML = """
seeds = {seeds}
[setting]
m = 3
steps = 20
upstream.n = 30
downstream.n = 12
[axes]
d = {d}
alpha = [0, 0.3, 1]
"""
D, ALPHAS = [100, 300, 1000, 3000], [0, 0.3, 1]  # fields that change no number of blocks


def sweep_of(seeds, d=tuple(D), alphas=tuple(ALPHAS)):
    axes = {"d": list(d), "alpha": list(alphas)}
    return Sweep(grid=Grid(base=SMALL, axes=axes), seeds=tuple(range(seeds)))


def toml(path, seeds, d=D):
    path.write_text(TOML.format(seeds=seeds, d=list(d)))
    return path


def here(sweep, folder, **more):
    """Fill a sweep in this process, undisturbed."""
    with ThreadPoolExecutor(1) as threads:
        fill(sweep, folder, workers=executor(threads), **more)


def undisturbed(sweep, folder, monkeypatch):
    monkeypatch.setattr(declare, "BLOCK_SECONDS", SECONDS)
    here(sweep, folder)
    return chunks(folder)


def chunks(folder):
    """Every chunk of every array, and every array's description, as bytes."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and path.suffix != ".partial" and len(name.parts) > 2:
            found[str(name)] = path.read_bytes()
    return found


def marks(folder):
    """Blocks that are marked done [count]."""
    found = Path(folder).glob("part-*.zarr/done/c/**/*")
    return sum(path.is_file() and path.suffix != ".partial" for path in found)


def command(file, *words):
    """Start the command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, str(COMMAND), "sweep", str(file), "--json", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def result(process):
    """Wait for a command that must succeed; return what it printed."""
    out, err = process.communicate()
    assert process.returncode == 0, err
    return json.loads(out)


def until_more_is_done(folder, process, more=1):
    """Wait until blocks have been finished; False if the process has ended before."""
    before = marks(folder)
    while marks(folder) < before + more:
        if process.poll() is not None:
            return False
        time.sleep(0.01)
    return True


def kill(process, group):
    """Kill -9 a command, alone or with all of its workers; return the workers it had."""
    workers = children(process.pid)
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()
    return workers
