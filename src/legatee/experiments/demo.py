"""The demo: real digits among clutter, and two networks to inherit from, one of which hurts.

Upstream networks learn the digits 0 to 4 from many images. Downstream, a smaller network has to
learn the digits 5 to 9 from few. The related upstream network saw true labels; the harmful one saw
permuted pixels and random labels, so that all it could do was memorise.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from legatee.advice import Advice
from legatee.advisor.advise import advise
from legatee.data.load import load_data
from legatee.disk import writable_folder
from legatee.models.build import build, describe
from legatee.progress import track
from legatee.surgery.applying.apply import inherit
from legatee.surgery.files.checkpoint import load_weights, read_metadata, write_weights
from legatee.training.loop import TrainingLoop

CANVAS = "canvas=16,shift=1,clutter=2,noise=0.3"
UPSTREAM, DOWNSTREAM = "cnn:widths=24-48", "cnn:widths=16-32"
SHAPE, CLASSES = (1, 16, 16), 5
SEEDS = 8  # paired trainings of every arm [count]


@dataclass(frozen=True, kw_only=True)
class DemoCase:
    """One upstream network of the demo.

    Attributes:
        title: What it is called, and its folder.
        upstream: Data it is trained on, the seed aside.
        epochs: How long: memorising random labels takes longer than learning true ones [count].
        words: What it learned, for a reader.
        expected: The verdict that is right, known because we made the case.
    """

    title: str
    upstream: str
    epochs: int
    words: str
    expected: str


CASES = (
    DemoCase(
        title="related",
        upstream=f"digits:classes=0-4,n=3000,part=train,{CANVAS}",
        epochs=15,
        words="3,000 images of the digits 0 to 4",
        expected="inherit",
    ),
    DemoCase(
        title="harmful",
        upstream=f"digits:classes=0-4,n=3000,part=train,{CANVAS},permute=1,label_noise=1",
        epochs=45,
        words="3,000 images with permuted pixels and random labels",
        expected="scratch",
    ),
)
TRAIN = f"digits:classes=5-9,n=200,part=train,{CANVAS}"
HELD_OUT = f"digits:classes=5-9,n=350,part=test,{CANVAS}"
TRAINER = TrainingLoop(  # of the downstream network, whatever it starts from
    epochs=40,
    batch_size=25,
    optimizer="sgd",
    learning_rate=0.02,
    weight_decay=5e-4,
    device="cpu",
)


def run(
    out: str | os.PathLike[str], *, seed: int = 0, workers: int = 2, command: str = ""
) -> dict[str, Advice]:
    """Run the demo, or resume one that was interrupted.

    Args:
        out: Folder to fill: for each case its upstream network, finished trainings and advice,
            and where the verdict is to inherit, the initialised network and its plan.
        seed: Seed of images, upstream networks and downstream trainings.
        workers: Processes to train in [count].
        command: What was typed, for the record.

    Returns:
        The advice of each case, by its title.

    Raises:
        OutputError: If ``out`` holds something else, or cannot be written.
    """
    folder = writable_folder(out)
    torch.set_num_threads(1)  # these networks are too small to share between threads
    command = command or f"legatee.experiments.demo.run(..., seed={seed})"
    return {case.title: _run(case, folder / case.title, seed, workers, command) for case in CASES}


def _run(case: DemoCase, out: Path, seed: int, workers: int, command: str) -> Advice:
    """Run one case."""
    source = _upstream(case, out / "upstream.safetensors", seed)
    make_target: Callable[[], nn.Module] = partial(
        build, DOWNSTREAM, num_classes=CLASSES, input_shape=SHAPE
    )
    advice = advise(
        source,
        make_target,
        load_data(f"{TRAIN},seed={seed}"),
        load_data(f"{HELD_OUT},seed={seed}"),
        fit=TRAINER,
        seeds=range(seed * SEEDS, (seed + 1) * SEEDS),
        workers=workers,
        out=out,
        about={
            "command": command,
            "source": f"{describe(source)}, trained on {case.words}",
            "data": "200 images of the digits 5 to 9 to train on, 350 others held out; 16 x 16 "
            "pixels, the digit at a random place among scraps of others, noise 0.3",
        },
    )
    if advice.plan is not None:
        target = build(DOWNSTREAM, num_classes=CLASSES, input_shape=SHAPE, seed=seed)
        inherit(advice.plan, source, target)
        write_weights(
            out / "initialised.safetensors",
            target,
            {
                "model": DOWNSTREAM,
                "plan": advice.plan.digest,
                "source": advice.plan.source_digest,
                "version": advice.provenance.version,
                "command": advice.provenance.command,
            },
        )
    return advice


def _upstream(case: DemoCase, path: Path, seed: int) -> nn.Module:
    """Return the case's upstream network, from its file if an earlier run has written it."""
    network = build(UPSTREAM, num_classes=CLASSES, input_shape=SHAPE, seed=seed)
    data = load_data(f"{case.upstream},seed={seed}")
    trainer = TrainingLoop(epochs=case.epochs, device="cpu")
    metadata = {"model": UPSTREAM, "data": data.name, "trainer": repr(trainer)}
    if path.exists() and metadata.items() <= read_metadata(path).items():
        return load_weights(network, path).eval()
    with track(trainer.epochs, f"upstream network, {case.title}") as advance:
        trainer.run(network, data, seed, on_epoch=lambda epoch, loss: advance())
    write_weights(path, network, metadata)
    return network
