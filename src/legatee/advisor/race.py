"""Arms against scratch, paired: every seed starts all arms from the same fresh network."""

import pickle
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from legatee.data.datasets import fingerprint_of
from legatee.data.examples import Examples
from legatee.errors import LegateeError
from legatee.fingerprint import digest, name_of
from legatee.plans.plan import TransferPlan
from legatee.progress import track
from legatee.results import Layout, Store, Unit, Variable
from legatee.surgery.applying.apply import inherit
from legatee.surgery.network.catalog import state
from legatee.surgery.planning.plan import plan
from legatee.training.loop import TrainingLoop

Fit = Callable[[nn.Module, Examples, int], nn.Module]
Metric = Callable[[nn.Module, Examples], Tensor]
_here: tuple["Race", Mapping[str, TransferPlan]]  # in a training process, what it was sent
CURVE_POINTS = 12  # epochs at which the held-out score is looked at, for the learning curves


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to start the downstream network.

    Attributes:
        name: What the verdict calls it.
        alpha: Share of each channel group inherited; 0 is scratch [fraction, 0..1].
        rule: Selection rule that picks the channels.
    """

    name: str
    alpha: float
    rule: str = "uniform"


SCRATCH = Arm(name="scratch", alpha=0.0)
ARMS = (
    Arm(name="all", alpha=1.0),
    Arm(name="half", alpha=0.5),
    Arm(name="quarter", alpha=0.25),
)


@dataclass(frozen=True, kw_only=True)
class Race:
    """Who runs, on what, how often.

    Attributes:
        source: Upstream network; only read.
        make_target: Returns a fresh downstream network, drawn from torch's global generator.
        train: Downstream examples to train on.
        held_out: Downstream examples to compare on.
        arms: Ways to start, scratch first.
        seeds: One training of every arm for each.
        fit: Trains a network on examples under a seed.
        metric: Scores a network on each example.
        head: Whether the classes are the source's, so that its head may be inherited.
    """

    source: nn.Module
    make_target: Callable[[], nn.Module]
    train: Examples
    held_out: Examples
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    fit: Fit
    metric: Metric
    head: bool

    def start(self, seed: int) -> nn.Module:
        """Return the fresh downstream network of a seed; global generators are left alone."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return self.make_target()

    def plans(self) -> dict[str, TransferPlan]:
        """Plan every arm but scratch, by name; the same for all seeds.

        Returns:
            Plans that fit any network that ``make_target`` returns.

        Raises:
            TransferError: If the target has nothing to inherit from the source.
        """
        target, data = self.start(self.seeds[0]), self.train.inputs[:1].float()
        return {
            arm.name: plan(
                self.source,
                target,
                alpha=arm.alpha,
                rule=arm.rule,
                example_inputs=data,
                head=self.head,
            )
            for arm in self.arms
            if arm.alpha > 0
        }


def run(
    race: Race,
    plans: Mapping[str, TransferPlan],
    out: Path | None,
    provenance: Mapping[str, Any],
    *,
    workers: int = 1,
) -> xr.Dataset:
    """Train every arm under every seed, and score it on every held-out example.

    Finished trainings are kept in a store; the same race at the same place goes on from there.

    Args:
        race: Who runs.
        plans: What each arm but scratch inherits.
        out: Where the store is kept; nowhere if ``None``.
        provenance: Kept with the store.
        workers: Processes to train in, one thread each; 1 trains in this one [count].

    Returns:
        ``score[arm, seed, item]``, ``train_loss[arm, seed, epoch]``,
        ``held_out_score[arm, seed, epoch]`` (NaN where not looked at), ``seconds[arm, seed]``.

    Raises:
        OutputError: If ``out`` holds another race, or cannot be written.
        LegateeError: If the race cannot be sent to other processes, or one of them dies.
    """
    with tempfile.TemporaryDirectory() as nowhere:
        place = out if out is not None else Path(nowhere) / "runs.zarr"
        store = Store(place, _layout(race, plans, provenance))
        pending = sorted(store.pending(), key=lambda unit: (unit["seed"], unit["arm"]))
        total = len(race.arms) * len(race.seeds)
        with track(total, "paired trainings") as advance:
            for _ in range(total - len(pending)):
                advance("already done")
            with closing(_trainings(race, plans, pending, workers)) as trainings:
                for unit, values in trainings:
                    store.write(unit, values)
                    advance(f"{race.arms[unit['arm']].name}, seed {race.seeds[unit['seed']]}")
        return store.load()


def _trainings(
    race: Race, plans: Mapping[str, TransferPlan], units: list[Unit], workers: int
) -> Generator[tuple[Unit, dict[str, Any]], None, None]:
    """Train unit after unit, here or in processes, and yield each as it is finished."""
    if workers == 1:
        for unit in units:
            yield unit, _train(race, plans, unit)
        return
    try:
        sent = pickle.dumps((race, plans))
    except Exception as error:  # what cannot be pickled says so in many ways
        raise LegateeError(
            f"cannot train in {workers} processes: {error}; give make_target, fit and metric as "
            "functions of a module, or workers=1"
        ) from error
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _receive, (sent,))
    try:
        waiting = {pool.submit(_train_here, unit): unit for unit in units}
        for finished in as_completed(waiting):
            yield waiting[finished], finished.result()
    except BrokenProcessPool as error:
        raise LegateeError(
            "a training process died, perhaps for lack of memory; what was finished is kept: "
            "the same call goes on, with fewer workers if need be"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _receive(sent: bytes) -> None:
    """Unpack the race once in a training process, which computes with one thread."""
    global _here
    torch.set_num_threads(1)
    _here = pickle.loads(sent)


def _train_here(unit: Unit) -> dict[str, Any]:
    """Train one unit of the race that this process received."""
    race, plans = _here
    return _train(race, plans, unit)


def _train(race: Race, plans: Mapping[str, TransferPlan], unit: Unit) -> dict[str, Any]:
    """Train one arm under one seed, and return what is kept of it."""
    arm, seed = race.arms[unit["arm"]], race.seeds[unit["seed"]]
    network = race.start(seed)
    if arm.alpha > 0:
        inherit(plans[arm.name], race.source, network)
    began = time.perf_counter()
    epochs = _epochs(race.fit)
    losses, scores = np.full(epochs, np.nan), np.full(epochs, np.nan)
    if isinstance(race.fit, TrainingLoop):
        looked_at = set(np.linspace(0, epochs - 1, min(CURVE_POINTS, epochs)).round().astype(int))

        def note(epoch: int, loss: float) -> None:
            losses[epoch - 1] = loss
            if epoch - 1 in looked_at:
                scores[epoch - 1] = _scores(race, network).mean()

        network = race.fit.run(network, race.train, seed, on_epoch=note)
    else:
        network = race.fit(network, race.train, seed)
        if not isinstance(network, nn.Module):
            raise LegateeError(
                f"fit returned {type(network).__name__}; expected the trained network"
            )
    return {
        "score": _scores(race, network),
        "train_loss": losses,
        "held_out_score": scores,
        "seconds": time.perf_counter() - began,
    }


def _layout(race: Race, plans: Mapping[str, TransferPlan], provenance: Mapping[str, Any]) -> Layout:
    """Lay out what a race leaves, and what must be equal for it to be continued."""
    per_epoch = ("arm", "seed", "epoch")
    return Layout(
        coords={
            "arm": [arm.name for arm in race.arms],
            "seed": list(race.seeds),
            "item": list(range(len(race.held_out))),
            "epoch": list(range(1, _epochs(race.fit) + 1)),
        },
        block={"arm": 1, "seed": 1},
        variables={
            "score": Variable(
                dims=("arm", "seed", "item"),
                dtype="float32",
                units="score",
                about="held-out score of each example after training",
            ),
            "train_loss": Variable(
                dims=per_epoch, dtype="float32", units="nats", about="mean training loss"
            ),
            "held_out_score": Variable(
                dims=per_epoch, dtype="float32", units="score", about="mean held-out score"
            ),
            "seconds": Variable(
                dims=("arm", "seed"), dtype="float32", units="s", about="training time"
            ),
        },
        identity={
            "arms": [asdict(arm) for arm in race.arms],
            "seeds": list(race.seeds),
            "plans": {name: made.digest for name, made in plans.items()},
            "source weights": digest(state(race.source)),
            "target": digest(state(race.start(race.seeds[0]))),
            "training data": fingerprint_of(race.train),
            "held-out data": fingerprint_of(race.held_out),
            "fit": name_of(race.fit),
            "metric": name_of(race.metric),
        },
        provenance=provenance,
    )


def _scores(race: Race, network: nn.Module) -> np.ndarray:
    """Score a network on every held-out example."""
    scores = torch.as_tensor(race.metric(network, race.held_out)).detach().float().cpu()
    if tuple(scores.shape) != (len(race.held_out),):
        raise LegateeError(
            f"the metric returned scores of shape {tuple(scores.shape)}; expected one for each "
            f"held-out example, ({len(race.held_out)},)"
        )
    return scores.numpy()


def _epochs(fit: Fit) -> int:
    """Return the epochs there are curves of: only our own loop is looked into."""
    return fit.epochs if isinstance(fit, TrainingLoop) else 0
