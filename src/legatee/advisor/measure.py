"""What a race measured of every arm: its score, its gain over scratch, and how it ended."""

import numpy as np
import xarray as xr

from legatee.advice import ArmResult, ArmStatus
from legatee.advisor.arms import SCRATCH
from legatee.advisor.options import AdviseOptions
from legatee.advisor.race import Race
from legatee.advisor.verdict import Findings
from legatee.data.datasets import class_names_of
from legatee.intervals import gain_spread, mean_error


def measure(race: Race, runs: xr.Dataset, asked: AdviseOptions, chance: float | None) -> Findings:
    """Measure every arm.

    The error rate is divided by the number of arms that are compared with scratch (Bonferroni), so
    that all intervals hold together.

    Args:
        race: Which arms.
        runs: What :func:`legatee.advisor.runs.run` returned.
        asked: The margin and the error rate.
        chance: Score of always predicting the largest class, where there is one [score].

    Returns:
        What a verdict rests on.
    """
    scores = {arm.name: runs["score"].sel(arm=arm.name).values for arm in race.arms}
    diverged = {arm.name: int(runs["diverged"].sel(arm=arm.name).sum()) for arm in race.arms}
    per_arm = asked.error_rate / (len(race.arms) - 1)
    spreads = {
        arm.name: gain_spread(scores[arm.name], scores[SCRATCH.name])
        for arm in race.arms[1:]
        if not diverged[arm.name] and not diverged[SCRATCH.name]
    }
    arms = tuple(
        ArmResult(
            name=arm.name,
            method=arm.method.model_dump(mode="json"),
            status=ArmStatus.DIVERGED if diverged[arm.name] else ArmStatus.OK,
            diverged_seeds=diverged[arm.name],
            inherited_fraction=float(runs["inherited"].sel(arm=arm.name).mean()),
            score=float(scores[arm.name].mean()),
            score_error=mean_error(scores[arm.name]),
            gain=spreads[arm.name].interval(per_arm) if arm.name in spreads else None,
            seconds=float(runs["seconds"].sel(arm=arm.name).sum()),
        )
        for arm in race.arms
    )
    finite = np.concatenate([table[np.isfinite(table)] for table in scores.values()])
    return Findings(
        arms=arms,
        spreads=spreads,
        margin=asked.margin,
        error_rate=per_arm,
        percent=bool(((finite >= 0) & (finite <= 1)).all()),
        chance=chance,
        classes=len(class_names_of(race.train) or ()),
    )
