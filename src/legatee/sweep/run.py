"""The front door: simulate a sweep, or go on with one."""

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

import xarray as xr

from legatee.disk import writable_folder
from legatee.errors import LegateeError
from legatee.progress import track
from legatee.results import Store
from legatee.sweep.block import Block, compute
from legatee.sweep.declare import Sweep, layout_of
from legatee.sweep.parts import load, parts_of
from legatee.sweep.work import Workers, each, processes


def run(
    sweep: Sweep,
    out: Path,
    *,
    workers: Workers | None = None,
    device: str | None = None,
    provenance: Mapping[str, Any] | None = None,
    repair: bool = False,
) -> xr.Dataset:
    """Simulate a sweep, or go on with one that was interrupted or is to become larger.

    Args:
        sweep: What to simulate.
        out: Folder that holds it.
        workers: Who computes; two processes of this machine if ``None``.
        device: Where the workers compute; the CPU if ``None``.
        provenance: What to record beside the results, such as the command.
        repair: Whether to read all that is there and compute what is damaged again.

    Returns:
        What :func:`load` returns.

    Raises:
        UnusableOutput: If the folder holds another sweep, or cannot be written.
        LegateeError: If some blocks failed; all others are kept.
    """
    parts = parts_of(sweep, writable_folder(out), {"device": device or "cpu", **(provenance or {})})
    stores = [(part, Store(path, layout_of(part, block))) for path, part, block in parts]
    if repair:
        for _, store in stores:
            for unit in store.damaged().values():
                store.forget(unit)
    blocks = [
        Block(path=str(store.path), part=part, block=store.layout.block, unit=unit, device=device)
        for part, store in stores
        for unit in store.pending()
    ]
    _compute_all(blocks, workers or processes(2))
    return load(out)


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
        reason, block = next(iter(failed.items()))
        raise LegateeError(
            f"a block of {Path(block.path).parent.name!r} failed ({block.unit}): {reason}; all "
            "that could be computed is kept, and the same command tries the rest again"
        )
