"""The advisor's front door: run the race, hold its intervals against the margin, and say so."""

import datetime as dt
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import torch
import xarray as xr
from torch import nn

from legatee.advice import Advice, ArmResult, Provenance
from legatee.advisor.race import ARMS, SCRATCH, Arm, Fit, Metric, Race, run
from legatee.advisor.verdict import decide
from legatee.data.datasets import as_dataset, fingerprint_of, split
from legatee.data.examples import Examples
from legatee.disk import writable_folder, write_text
from legatee.errors import DataError, LegateeError
from legatee.intervals import gain_interval, mean_error
from legatee.models.build import describe
from legatee.plans.plan import TransferPlan
from legatee.training.devices import pick_device
from legatee.training.loop import TrainingLoop
from legatee.training.tasks import score_examples

HELD_OUT_SHARE = 0.3  # of the training examples, when no others are given to compare on
Data = Examples | torch.utils.data.Dataset


def advise(  # noqa: PLR0913 - a front door
    source: nn.Module,
    make_target: Callable[[], nn.Module],
    train: Data,
    validation: Data | None = None,
    *,
    fit: Fit | None = None,
    metric: Metric | None = None,
    arms: Sequence[Arm] | None = None,
    seeds: int | Sequence[int] = 5,
    margin: float = 0.01,
    error_rate: float = 0.05,
    device: str | None = None,
    workers: int = 1,
    out: str | os.PathLike[str] | None = None,
    source_classes: Sequence[str] | None = None,
    about: Mapping[str, str] | None = None,
) -> Advice:
    """Find out whether a network does better if it inherits part of another, and which part.

    Every arm, scratch among them, is trained to the end under the same seeds and compared with
    scratch on the same held-out examples; the intervals hold for all arms at once.

    Args:
        source: Upstream network; only read.
        make_target: Returns a fresh downstream network; called once for each training, with
            torch's global generator seeded.
        train: Downstream examples to train on.
        validation: Examples to compare on, never trained on; 30 % of ``train`` if absent.
        fit: ``fit(network, examples, seed) -> network`` trains; a
            :class:`TrainingLoop` if absent.
        metric: ``metric(network, examples) -> scores [examples]``, more is better; whether the
            predicted class is right if absent.
        arms: What to hold against scratch; all, half and a quarter of the channels if absent.
        seeds: How many paired trainings, or their seeds; at least two [count].
        margin: Gain below which inheriting is not worth the trouble [score].
        error_rate: Chance that any interval misses its true gain [fraction, 0..1].
        device: Where our own trainer trains; a GPU when there is one.
        workers: Processes to train in, one thread each; more than one need functions that can be
            pickled, and a script that guards its start with ``if __name__ == "__main__"`` [count].
        out: Folder for finished trainings and the advice; the same call goes on from there.
        source_classes: Classes of the upstream network in its order; its head is inherited only
            if they are those of ``train``.
        about: What the caller can say better than the arguments do, by field of
            :class:`legatee.advice.Provenance`, such as ``{"data": "..."}``.

    Returns:
        Verdict, arms, reasons, and what was not checked.

    Raises:
        LegateeError: If an argument is out of range or the networks or data do not fit together.

    Source:
        *ours*; asked for by the paper's reviewers.
    """
    trainer = fit if fit is not None else TrainingLoop(device=device)
    train = as_dataset(train, "train")
    if validation is None:
        train, held_out = split(train, HELD_OUT_SHARE, seed=0)
    else:
        held_out = as_dataset(validation, "validation")
    race = Race(
        source=source,
        make_target=make_target,
        train=train,
        held_out=held_out,
        arms=(SCRATCH, *(ARMS if arms is None else arms)),
        seeds=tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds),
        fit=trainer,
        metric=metric if metric is not None else score_examples,
        head=source_classes is not None and tuple(source_classes) == train.class_names,
    )
    _check(race, margin, error_rate)
    if workers < 1:
        raise LegateeError(f"workers is {workers}; expected at least one")
    where = _told(race, about or {})
    plans = race.plans()
    race, left_out = _without_twins(race, plans)
    folder = writable_folder(out) if out is not None else None
    runs = run(race, plans, folder and folder / "runs.zarr", where.model_dump(), workers=workers)
    advice = _advice(race, plans, runs, where, margin=margin, error_rate=error_rate)
    advice = advice.model_copy(update={"not_checked": advice.not_checked + left_out})
    if folder is not None:
        write_text(folder / "advice.json", advice.to_json())
        if advice.plan is not None:
            write_text(folder / "plan.json", advice.plan.to_json())
        else:  # a plan of an earlier call, with another margin, would contradict this advice
            (folder / "plan.json").unlink(missing_ok=True)
    return advice


def _without_twins(race: Race, plans: Mapping[str, TransferPlan]) -> tuple[Race, tuple[str, ...]]:
    """Leave out arms that inherit exactly what an earlier one does: nothing is to be compared."""
    first: dict[object, str] = {}
    notes = []
    for arm in race.arms[1:]:
        twin = first.setdefault(plans[arm.name].entries, arm.name)
        if twin != arm.name:
            notes.append(
                f"The arm {arm.name!r}: the source is so narrow that it inherits exactly what "
                f"{twin!r} does."
            )
    kept = tuple(arm for arm in race.arms if arm is SCRATCH or arm.name in first.values())
    return replace(race, arms=kept), tuple(notes)


def _advice(
    race: Race,
    plans: dict[str, TransferPlan],
    runs: xr.Dataset,
    where: Provenance,
    *,
    margin: float,
    error_rate: float,
) -> Advice:
    """Turn the race's table into an advice."""
    scores = {arm.name: runs["score"].sel(arm=arm.name).values for arm in race.arms}
    broken = [name for name, table in scores.items() if not np.isfinite(table).all()]
    if broken:
        raise LegateeError(f"the metric gave NaN or infinite scores for {', '.join(broken)}")
    per_arm = error_rate / (len(race.arms) - 1)  # Bonferroni: the intervals hold together
    arms = tuple(
        ArmResult(
            name=arm.name,
            alpha=arm.alpha,
            rule=arm.rule,
            inherited_fraction=plans[arm.name].inherited_fraction if arm.alpha > 0 else 0.0,
            score=float(scores[arm.name].mean()),
            score_error=mean_error(scores[arm.name]),
            gain=gain_interval(scores[arm.name], scores[SCRATCH.name], per_arm)
            if arm.alpha > 0
            else None,
            seconds=float(runs["seconds"].sel(arm=arm.name).sum()),
        )
        for arm in race.arms
    )
    shares = all(table.min() >= 0 and table.max() <= 1 for table in scores.values())
    verdict, best, reasons = decide(arms, margin, percent=shares)
    return Advice(
        verdict=verdict,
        best=best,
        arms=arms,
        reasons=reasons,
        not_checked=_not_checked(race),
        margin=margin,
        error_rate=error_rate,
        seeds=race.seeds,
        n_train=len(race.train),
        n_held_out=len(race.held_out),
        plan=plans[best] if best is not None else None,
        provenance=where,
    )


def _check(race: Race, margin: float, error_rate: float) -> None:
    """Refuse what no race could answer."""
    names = [arm.name for arm in race.arms]
    if len(names) < 2 or len(set(names)) < len(names):
        raise LegateeError(f"arms are {names}; expected different names, scratch aside")
    for arm in race.arms[1:]:
        if not 0 < arm.alpha <= 1:
            raise LegateeError(f"arm {arm.name!r} has alpha {arm.alpha}; expected 0 < alpha <= 1")
    if len(set(race.seeds)) < max(2, len(race.seeds)):
        raise LegateeError(f"seeds are {list(race.seeds)}; expected at least two different ones")
    if not 0 < error_rate < 1:
        raise LegateeError(f"error_rate is {error_rate}; expected a share between 0 and 1")
    if not 0 <= margin < float("inf"):
        raise LegateeError(f"margin is {margin}; expected a gain that is not negative")
    fresh = race.start(race.seeds[0])
    if fresh is race.source or fresh is race.start(race.seeds[0]):
        raise LegateeError("make_target returns the same network twice; expected a fresh one")
    if fingerprint_of(race.train) == fingerprint_of(race.held_out):
        raise DataError("the held-out examples are the training examples; give others")
    if race.train.class_names != race.held_out.class_names:
        raise DataError(
            f"training and held-out examples have different classes: {race.train.class_names} "
            f"and {race.held_out.class_names}"
        )


def _not_checked(race: Race) -> tuple[str, ...]:
    """Name what the verdict does not speak about."""
    alphas = ", ".join(f"{arm.alpha:g}" for arm in race.arms[1:])
    rules = ", ".join(dict.fromkeys(arm.rule for arm in race.arms[1:]))
    open_questions = [
        f"Other fractions of the channels than {alphas}, and other selection rules than {rules}.",
        "Inheriting some layers and not others, freezing, or other learning rates for what is "
        "inherited: every arm is trained by the same procedure.",
        f"Other amounts of data than {len(race.train)} examples, and other samples of them: the "
        "intervals are over fresh starts and held-out examples, the training set is given.",
        "Data that differ from the held-out examples.",
    ]
    if not race.head:
        open_questions.append("Inheriting the head: the classes are not known to be the same.")
    return tuple(open_questions)


def _told(race: Race, about: Mapping[str, str]) -> Provenance:
    """Tell where an advice comes from: what the arguments say, and what the caller knows better."""
    device = "as the caller's fit chose"
    if isinstance(race.fit, TrainingLoop):
        device = str(pick_device(race.fit.device))
    facts = {
        "version": version("legatee"),
        "command": "legatee.advise(...)",
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "device": device,
        "source": describe(race.source),
        "target": describe(race.start(race.seeds[0])),
        "data": race.train.name,
    }
    return Provenance.model_validate({**facts, **about})
