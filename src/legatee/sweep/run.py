"""The front door: simulate a sweep, or resume one."""

import os
from collections.abc import Mapping
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any
from uuid import uuid4

import xarray as xr

from legatee.disk import replacing
from legatee.errors import LegateeError
from legatee.progress import track
from legatee.provenance import provenance as where_from
from legatee.sweep.block import Block, compute
from legatee.sweep.declare import Sweep
from legatee.sweep.parts import parts_of
from legatee.sweep.read import load, mending
from legatee.work.workers import Workers, each, processes


def run(
    sweep: Sweep,
    out: str | os.PathLike[str],
    *,
    workers: Workers | None = None,
    device: str = "cpu",
    provenance: Mapping[str, Any] | None = None,
    repair: bool = False,
) -> xr.Dataset:
    """Simulate a sweep, or resume one that was interrupted or is to become larger.

    All of it is read into memory in the end; where that is too much, call :func:`fill` and
    :func:`~legatee.sweep.read.load` some variables.

    Args:
        sweep: What to simulate.
        out: Folder that holds it.
        workers: Who computes; two processes of this machine if ``None``.
        device: Where the workers compute.
        provenance: What to record beside new results; version, commit, command and date if
            ``None``.
        repair: Whether to read all that is there and compute what is damaged again.

    Returns:
        What :func:`~legatee.sweep.read.load` returns.

    Raises:
        OutputError: If the folder holds another sweep, is damaged, or cannot be written.
        LegateeError: If some blocks failed, or there are no workers; what was finished is kept.

    Example:
        >>> import tempfile
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from dataclasses import replace
        >>> from legatee.world.grid import Grid
        >>> from legatee.world.setting import EXAMPLE
        >>> from legatee.work.workers import executor
        >>> small = replace(EXAMPLE, m=2, steps=5, upstream=replace(EXAMPLE.upstream, n=8))
        >>> sweep = Sweep(grid=Grid(base=small, axes={"alpha": [0, 0.5, 1]}), seeds=(0, 1))
        >>> with ThreadPoolExecutor(1) as threads, tempfile.TemporaryDirectory() as folder:
        ...     dict(run(sweep, folder, workers=executor(threads))["test_accuracy"].sizes)
        {'alpha': 3, 'seed': 2, 'run': 3, 'step': 2}
    """
    fill(sweep, out, workers=workers, device=device, provenance=provenance, repair=repair)
    return load(out)


def fill(
    sweep: Sweep,
    out: str | os.PathLike[str],
    *,
    workers: Workers | None = None,
    device: str = "cpu",
    provenance: Mapping[str, Any] | None = None,
    repair: bool = False,
) -> None:
    """Do what :func:`run` does, and read nothing: memory does not grow with the cells.

    Args:
        sweep: See :func:`run`, as all that follows.
        out: See there.
        workers: See there.
        device: See there.
        provenance: See there.
        repair: See there.

    Raises:
        OutputError: See there.
        LegateeError: See there.
    """
    folder = Path(out).resolve()  # workers may be elsewhere
    probe = folder / f".{uuid4().hex}"  # of this process only
    with replacing(probe):
        pass
    probe.unlink()
    about = where_from("legatee.sweep.run") if provenance is None else provenance
    blocks = []
    for part, store in parts_of(sweep, folder, {"device": device, **about}):
        if repair:
            for unit in store.damaged():
                store.forget(unit)
        path, size = str(store.path), store.layout.block
        with mending():
            pending = store.pending()
        for unit in pending:
            blocks.append(Block(path=path, part=part, block=size, unit=unit, device=device))
    Random().shuffle(blocks)  # processes at the same folder seldom meet at the same block
    if blocks:
        _compute_all(blocks, workers or processes(2))


def _compute_all(blocks: list[Block], workers: Workers) -> None:
    """Compute blocks, and say how it goes."""
    began, count, bad = perf_counter(), 0, 0
    with track(sum(block.cells for block in blocks), "cells") as advance:

        def done(block: Block, not_done: int) -> None:
            nonlocal count, bad
            count, bad = count + block.cells, bad + not_done
            rate = count / (perf_counter() - began)
            advance(
                f"{rate:.3g} a second" + f", {bad} runs did not end well" * bool(bad), block.cells
            )

        failed = each(compute, blocks, workers, done)
    if failed:
        block, reason = failed[0]
        raise LegateeError(
            f"{len(failed)} of {len(blocks)} blocks failed, such as {block.cells} cells from "
            f"{block.first}: {reason}; all others are kept, and the same command tries again"
        )
