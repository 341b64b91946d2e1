"""The advisor's front door: run the race, measure the gains, and give advice."""

import datetime as dt
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from legatee.advice import Advice, Provenance
from legatee.advisor.arms import SCRATCH, Arm
from legatee.advisor.checks import check_fit, check_margin, check_pair, check_source, check_target
from legatee.advisor.fits import Fit, settings_of
from legatee.advisor.measure import measure
from legatee.advisor.options import AdviseOptions, advise_options
from legatee.advisor.questions import open_questions
from legatee.advisor.race import REFERENCE_SEED, Metric, Race
from legatee.advisor.runs import run
from legatee.advisor.verdict import Findings, decide
from legatee.data.datasets import (
    Data,
    as_dataset,
    chance_level,
    class_names_of,
    counts_of,
    inputs_of,
    name_of,
    split,
)
from legatee.disk import writable_folder
from legatee.models.build import describe
from legatee.training.devices import pick_device
from legatee.training.loop import TrainingLoop
from legatee.training.tasks import score_examples

HELD_OUT_FRACTION = 0.3  # of the training examples, when no others are given to compare on


def advise(  # noqa: PLR0913 - a front door
    source: nn.Module,
    make_target: Callable[[], nn.Module],
    train: Data,
    held_out: Data | None = None,
    options: AdviseOptions | None = None,
    *,
    fit: Fit | None = None,
    metric: Metric | None = None,
    out: str | os.PathLike[str] | None = None,
    **overrides: Any,
) -> Advice:
    """Find out whether a network does better if it inherits part of another, and which part.

    Every arm, scratch among them, is trained to the end under the same seeds and compared with
    scratch on the same held-out examples; the intervals hold for all arms at once (Bonferroni).

    Args:
        source: Upstream network; only read.
        make_target: Returns a freshly initialised downstream network; called once for each
            training, with torch's global generator seeded.
        train: Downstream examples to train on: a dataset of ``(input, target)`` pairs.
        held_out: Examples to compare on, never trained on; 30 % of ``train`` if ``None``.
        options: What is asked for; the defaults of :class:`AdviseOptions` if ``None``.
        fit: ``fit(prepared, data, seed) -> network`` trains what a method prepared, a
            :class:`legatee.methods.prepared.Prepared`; a :class:`TrainingLoop` if ``None``.
        metric: ``metric(network, data) -> scores [examples]``, more is better; if ``None``,
            whether the predicted class is right, or minus the squared error of numbers.
        out: Folder for finished trainings and the advice. The same call resumes there, and a call
            with more seeds or more arms adds to what is there.
        **overrides: Single options by name, such as ``seeds=8``; they replace those of ``options``.

    Returns:
        Verdict, arms, reasons, and what was not checked.

    Raises:
        LegateeError: If an argument is out of range or the networks or data do not fit together.

    Source:
        *ours*; asked for by the paper's reviewers.
    """
    asked = advise_options(options, overrides)
    check_fit(fit, asked.device)
    check_target(make_target, check_source(source))
    data = as_dataset(train, "train")
    check_margin(asked.margin, metric, data)
    if held_out is None:
        data, compared = split(data, HELD_OUT_FRACTION, seed=0)
    else:
        compared = as_dataset(held_out, "held_out")
    notes = check_pair(data, compared, given=held_out is not None)
    race = Race(
        source=source,
        make_target=make_target,
        train=data,
        held_out=compared,
        arms=(SCRATCH, *_with_classes(asked, data)),
        seeds=asked.seeds,
        fit=fit if fit is not None else TrainingLoop(device=asked.device),
        metric=metric if metric is not None else score_examples,
    )
    race, twins = _without_twins(race)
    where = _provenance(race, asked.about)
    folder = writable_folder(out) if out is not None else None
    runs = run(
        race,
        folder,
        {"version": where.version, "command": where.command, "date": where.date},
        workers=asked.workers,
        progress=asked.progress,
    )
    chance = chance_level(compared) if metric is None else None
    findings = measure(race, runs, asked, chance)
    advice = _advice(race, asked, findings, where)
    questions = open_questions(race, twins, classes_known=asked.source_class_names is not None)
    advice = advice.model_copy(
        update={"reasons": (*advice.reasons, *notes), "not_checked": questions}
    )
    if folder is not None:
        _keep(advice, folder)
    return advice


def _with_classes(asked: AdviseOptions, train: Data) -> list[Arm]:
    """Return the arms, whose heads are inherited for classes that both networks have."""
    source_names, names = asked.source_class_names, class_names_of(train)
    arms = []
    for arm in asked.arms:
        options = getattr(arm.method, "options", None)
        told = options is not None and (options.class_map or options.source_class_names)
        if told or arm.is_scratch:
            arms.append(arm)
            continue
        known = source_names is not None and names is not None
        changes: dict[str, Any] = (
            {"class_names": names, "source_class_names": source_names} if known else {"head": False}
        )
        method = arm.method.with_options(**changes)
        arms.append(Arm(name=arm.name, method=method))
    return arms


def _without_twins(race: Race) -> tuple[Race, dict[str, str]]:
    """Leave out arms that copy and tune exactly what an earlier arm does."""
    first: dict[object, str] = {}
    twins = {}
    for arm in race.arms[1:]:
        plan = race.plans[arm.name]
        same = (arm.method.kind, plan.entries if plan is not None else arm.method)
        if (earlier := first.setdefault(same, arm.name)) != arm.name:
            twins[arm.name] = earlier
    return replace(race, arms=tuple(arm for arm in race.arms if arm.name not in twins)), twins


def _advice(race: Race, asked: AdviseOptions, findings: Findings, where: Provenance) -> Advice:
    """Turn what was measured into an advice."""
    decision = decide(findings)
    best = next((arm for arm in race.arms if arm.name == decision.best), None)
    first = race.seeds[0]
    return Advice(
        verdict=decision.verdict,
        best=decision.best,
        arms=findings.arms,
        reasons=decision.reasons,
        not_checked=(),
        margin=asked.margin,
        error_rate=asked.error_rate,
        seeds=race.seeds,
        seeds_needed=decision.seeds_needed,
        n_train=len(race.train),  # type: ignore[arg-type]
        n_held_out=len(race.held_out),  # type: ignore[arg-type]
        train_counts=counts_of(race.train),
        held_out_counts=counts_of(race.held_out),
        plan=race.plan(best, race.start(first), first) if best is not None else None,
        provenance=where,
    )


def _provenance(race: Race, about: Mapping[str, str]) -> Provenance:
    """Return where an advice comes from: what the arguments say, and what the caller adds."""
    own = isinstance(race.fit, TrainingLoop)
    settings = {key: str(value) for key, value in settings_of(race.fit).items()}
    if own:
        settings["input shape"] = " x ".join(map(str, inputs_of(race.train, limit=1).shape[1:]))
        settings["preprocessing"] = (
            "bytes scaled to 0..1; no normalisation, no augmentation of ours"
        )
    facts = {
        "version": version("legatee"),
        "command": "legatee.advise(...)",
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "device": str(pick_device(race.fit.device)) if own else "chosen by the caller's fit",  # type: ignore[attr-defined]
        "source": describe(race.source),
        "target": describe(race.start(REFERENCE_SEED)),
        "data": name_of(race.train),
        "procedure": settings,
    }
    return Provenance.model_validate({**facts, **about})


def _keep(advice: Advice, folder: Path) -> None:
    """Write the advice, and the plan that it recommends, to its folder."""
    advice.save(folder / "advice.json")
    if advice.plan is not None:
        advice.plan.save(folder / "plan.json")
    else:  # a plan of an earlier call, with another margin, would contradict this advice
        (folder / "plan.json").unlink(missing_ok=True)
