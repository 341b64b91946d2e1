"""The decision alone: results made by hand, verdicts written down from the issue's rule."""

import pytest

from legatee.advice import ArmResult, Verdict
from legatee.advisor.verdict import decide
from legatee.intervals import Interval

MARGIN = 0.01


def arm(name, alpha, gain):
    interval = None if gain is None else Interval(estimate=gain[1], lower=gain[0], upper=gain[2])
    return ArmResult(
        name=name,
        alpha=alpha,
        rule="uniform",
        inherited=alpha,
        score=0.5,
        score_error=0.01,
        gain=interval,
        seconds=1.0,
    )


def verdict_of(all_gain, half_gain):
    arms = (arm("scratch", 0, None), arm("all", 1, all_gain), arm("half", 0.5, half_gain))
    return decide(arms, MARGIN)


RULE = [
    pytest.param((0.02, 0.1, 0.2), (-0.1, 0, 0.1), Verdict.INHERIT, "all", id="all gains"),
    pytest.param((-0.2, -0.1, -0.05), (0.01, 0.03, 0.05), Verdict.INHERIT, "half", id="half gains"),
    pytest.param((0.02, 0.1, 0.2), (0.03, 0.12, 0.2), Verdict.INHERIT, "half", id="both: the best"),
    pytest.param((-0.2, -0.1, 0.009), (-0.1, 0, 0.009), Verdict.SCRATCH, None, id="none can"),
    pytest.param((-0.2, -0.1, -0.01), (-0.1, 0, 0.1), Verdict.SCRATCH, None, id="all hurts"),
    pytest.param((-0.1, 0.05, 0.2), (-0.1, 0, 0.005), Verdict.UNDECIDED, None, id="all might"),
    pytest.param((0.0, 0.05, 0.2), (-0.1, 0, 0.005), Verdict.UNDECIDED, None, id="bound at zero"),
    pytest.param((-0.1, -0.05, 0.0), (-0.1, 0, 0.05), Verdict.UNDECIDED, None, id="half might"),
]


@pytest.mark.parametrize(("all_gain", "half_gain", "verdict", "best"), RULE)
def test_the_verdict_follows_the_rule(all_gain, half_gain, verdict, best):
    found, arm_to_use, reasons = verdict_of(all_gain, half_gain)
    assert (found, arm_to_use) == (verdict, best)
    assert reasons


def test_a_harmful_source_is_called_harmful_whatever_else_holds():
    codes = [[r.code for r in verdict_of((-0.2, -0.1, -0.05), (-0.1, 0, up))[2]] for up in (0, 0.1)]
    assert codes == [["everything-hurts", "upper-bounds-below-margin"], ["everything-hurts"]]


def test_the_reason_names_the_arm_and_its_interval():
    _, _, reasons = verdict_of((0.021, 0.1, 0.2), (-0.1, 0, 0.1))
    assert "'all'" in reasons[0].text
    assert "+10.0 points (at least +2.1, at most +20.0)" in reasons[0].text
    _, _, reasons = verdict_of((-0.1, 0.05, 0.2), (-0.1, 0, 0.005))
    assert "'all'" in reasons[0].text
    assert "'half'" not in reasons[0].text  # it could not gain the margin: it decides nothing
