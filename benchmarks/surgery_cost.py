"""What does a transfer cost, in processor time against a plain load, and in memory from disk?

Run it with `make bench-surgery`; about two minutes on one core. Times are ratios within one
process to `load_state_dict` of the target; memory is anonymous memory (`RssAnon` of
/proc/PID/status: what the process made itself, without files that the kernel maps and may drop),
sampled every millisecond from another process.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import timm
import torch
from tables import show, where
from torch import nn
from torchvision import models

import legatee
from legatee.models.build import blank, build
from legatee.models.resolve import ModelSpec, weights_of
from legatee.surgery.applying.apply import Transfer, inherit
from legatee.surgery.applying.casts import Allowed
from legatee.surgery.applying.elements import copy
from legatee.surgery.files.checkpoint import load_weights, write_weights
from legatee.surgery.network.catalog import read

ROUNDS = 15
MOST = 4.0  # plan and apply, in plain loads
SPARE = 20  # anonymous memory beside the target's [MB]
BASE, TINY = "timm:vit_base_patch16_224", "timm:vit_tiny_patch16_224"
SIZES = {"num_classes": 1000, "input_shape": (3, 224, 224)}
VIT_BASE, VIT_SMALL, VIT_TINY = (
    partial(timm.create_model, f"vit_{size}_patch16_224") for size in ("base", "small", "tiny")
)
PAIRS = {
    "resnet50 to resnet18": (models.resnet50, models.resnet18, None),
    "resnet50 to resnet18, by roles": (models.resnet50, models.resnet18, "roles"),
    "resnet101 to resnet34, by roles": (models.resnet101, models.resnet34, "roles"),
    "vit_small to vit_tiny": (VIT_SMALL, VIT_TINY, None),
    "vit_base to vit_tiny": (VIT_BASE, VIT_TINY, None),
}


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time that a call takes [s]."""
    start = time.process_time()
    work()
    return time.process_time() - start


def times(source: nn.Module, target: nn.Module, match: str | None) -> list[object]:
    """Time one pair, its parts in turn so that all meet the same machine.

    Args:
        source: Upstream network.
        target: Downstream network.
        match: As :func:`legatee.plan` takes it.

    Returns:
        Share that is inherited, and medians in plain loads: tracing, planning, copying alone,
        applying, the sum of planning and applying with its range over the rounds' quarters.
    """
    spare = {name: value.clone() for name, value in target.state_dict().items()}
    traced = seconds(lambda: (read(source), read(target)))
    ours, theirs = read(source), read(target)
    plan = legatee.plan(ours, theirs, match=match)
    given, held = source.state_dict(), target.state_dict()

    def copied() -> None:
        for move in plan.moves:
            copy(held[move.target], move.put, given[move.source], move.take)

    rows = []
    for _ in range(ROUNDS):
        loaded = seconds(lambda: target.load_state_dict(spare))
        planned = seconds(lambda: legatee.plan(ours, theirs, match=match))
        rows.append(
            (loaded, planned, seconds(copied), seconds(lambda: inherit(plan, source, target)))
        )
    load, planning, copying, applying = (median(column) for column in zip(*rows, strict=True))
    totals = sorted((p + a) / load for _, p, _, a in rows)
    low, high = totals[ROUNDS // 4], totals[-ROUNDS // 4]
    return [
        f"{plan.inherited_fraction:.1%}",
        f"{traced / load:.0f}",
        f"{planning / load:.1f}",
        f"{copying / load:.1f}",
        f"{applying / load:.1f}",
        f"{(planning + applying) / load:.1f} ({low:.1f} to {high:.1f})",
    ]


def inherited(file: str, out: str) -> None:
    """Inherit from disk to disk with a plan that was made before, as `legatee inherit` does."""
    plan = legatee.TransferPlan.from_json(Path(file).with_name("plan.json").read_text())
    _, given = weights_of(ModelSpec.parse(f"{BASE}@{file}"), **SIZES)
    target = build(TINY, seed=0, **SIZES)
    write_weights(out, target, {}, Transfer(plan, given, target, Allowed()))


def planned(file: str, out: str) -> None:
    """Plan, then inherit from disk to disk, in one process."""
    outline, given = weights_of(ModelSpec.parse(f"{BASE}@{file}"), **SIZES)
    plan = legatee.plan(outline, blank(TINY, **SIZES))  # shapes are enough
    target = build(TINY, seed=0, **SIZES)
    write_weights(out, target, {}, Transfer(plan, given, target, Allowed()))


def loaded(file: str, out: str) -> None:
    """Build the source, load it, inherit in memory, write."""
    source, target = build(BASE, seed=0, **SIZES), build(TINY, seed=0, **SIZES)
    load_weights(source, file)
    inherit(legatee.plan(source, target), source, target)
    write_weights(out, target, {})


WAYS = {
    "inherit, planned before": inherited,
    "plan and inherit": planned,
    "source loaded": loaded,
}


def child(way: str, file: str, out: str) -> None:
    """Wait for a word after the imports, then do it."""
    read(nn.Linear(1, 1))  # what the first trace imports
    print("ready", flush=True)
    sys.stdin.readline()
    WAYS[way](file, out)
    print("done", flush=True)


def peak(way: str, file: Path) -> tuple[float, int]:
    """Return the peak of anonymous memory above the imports [MB], and how often it was sampled."""
    words = [sys.executable, __file__, way, str(file), str(file.with_name("out.safetensors"))]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdin is not None
        assert running.stdout.readline() == "ready\n"
        before = most = anonymous(running.pid)
        samples = 0
        running.stdin.write("go\n")
        running.stdin.flush()
        while running.poll() is None:
            try:
                most = max(most, anonymous(running.pid))
            except (OSError, StopIteration):
                break
            samples += 1
            time.sleep(0.001)
        assert running.stdout.readline() == "done\n"
    return (most - before) / 1e3, samples


def anonymous(process: int) -> float:
    """Return the anonymous memory that a process holds [kB of 1,024 bytes, as MB / 1,000]."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1.024


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    print(where())
    rows = []
    for name, (source, target, match) in PAIRS.items():
        rows.append([name, *times(source().eval(), target().eval(), match)])
    show(
        f"Processor time in plain loads of the target (wanted: plan and apply at most {MOST:g})",
        [
            "pair",
            "inherited",
            "tracing both, once",
            "plan",
            "copying alone",
            "apply",
            "plan and apply",
        ],
        rows,
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "base.safetensors"
        write_weights(file, build(BASE, seed=1, **SIZES), {})
        plan = legatee.plan(blank(BASE, **SIZES), blank(TINY, **SIZES))
        file.with_name("plan.json").write_text(plan.to_json())
        held = sum(v.nbytes for v in build(TINY, seed=0, **SIZES).state_dict().values()) / 1e6
        rows = []
        for way in WAYS:
            most, samples = peak(way, file)
            rows.append([way, f"{most:.1f}", f"{most - held:+.1f}", samples])
    show(
        f"Peak anonymous memory above the imports, vit_base on disk to vit_tiny on disk, MB "
        f"(the target: {held:.1f}; wanted: at most {SPARE} beside it)",
        ["way", "peak", "beside the target", "samples"],
        rows,
    )


if __name__ == "__main__":
    child(*sys.argv[1:]) if len(sys.argv) > 1 else main()
