"""The decision alone: results made by hand, verdicts written down from the rule."""

import numpy as np
import pytest
from scipy.stats import t

from legatee.advice import ArmResult, ArmStatus, Severity, Verdict
from legatee.advisor.needed import needed
from legatee.advisor.verdict import Findings, decide
from legatee.intervals import GainSpread, Interval

MARGIN = 0.01


def arm(name, alpha, gain, score=0.5, **changes):
    interval = None if gain is None else Interval(estimate=gain[1], lower=gain[0], upper=gain[2])
    method = {"kind": "inherit", "options": {"alpha": alpha}} if alpha else {"kind": "scratch"}
    fields = {
        "name": name,
        "method": method,
        "inherited_fraction": alpha,
        "score": score,
        "score_error": 0.01,
        "gain": interval,
        "seconds": 1.0,
    }
    return ArmResult(**(fields | changes))


def spread(gain, seeds=5):
    """A spread whose half-width at an error rate of 5 % is that of the interval."""
    half = (gain[2] - gain[0]) / 2 / 2.776  # Student's 97.5 % quantile for 5 seeds
    return GainSpread(
        mean=gain[1],
        seeds=seeds,
        examples=100,
        between_seeds=half**2,
        residual=0.0,
        between_examples=0.0,
        bound=1.0,
    )


def findings(all_gain, half_gain, **changes):
    gains = {"all": all_gain, "half": half_gain}
    fields = {
        "arms": (arm("scratch", 0, None), arm("all", 1, all_gain), arm("half", 0.5, half_gain)),
        "spreads": {name: spread(gain) for name, gain in gains.items() if gain is not None},
        "margin": MARGIN,
        "error_rate": 0.05,
    }
    return Findings(**(fields | changes))


RULE = [
    pytest.param((0.02, 0.1, 0.2), (-0.1, 0, 0.1), Verdict.INHERIT, "all", id="all gains"),
    pytest.param((-0.2, -0.1, -0.05), (0.01, 0.03, 0.05), Verdict.INHERIT, "half", id="half gains"),
    pytest.param((0.02, 0.1, 0.2), (0.03, 0.12, 0.2), Verdict.INHERIT, "half", id="both: the best"),
    pytest.param((-0.2, -0.1, 0.009), (-0.1, 0, 0.009), Verdict.SCRATCH, None, id="none can"),
    pytest.param((-0.2, -0.1, -0.01), (-0.1, 0, 0.1), Verdict.SCRATCH, None, id="all hurts"),
    pytest.param((-0.1, 0.05, 0.2), (-0.1, 0, 0.005), Verdict.UNDECIDED, None, id="all might"),
    pytest.param((0.0, 0.05, 0.2), (-0.1, 0, 0.005), Verdict.UNDECIDED, None, id="bound at zero"),
    pytest.param((-0.1, -0.05, 0.0), (-0.1, 0, 0.05), Verdict.UNDECIDED, None, id="half might"),
    pytest.param((-0.1, 0, 0.01), (-0.1, 0, 0.0), Verdict.UNDECIDED, None, id="the margin itself"),
    pytest.param((-0.1, 0, 0.1), (-0.2, -0.1, -0.05), Verdict.UNDECIDED, None, id="half hurts"),
]


@pytest.mark.parametrize(("all_gain", "half_gain", "verdict", "best"), RULE)
def test_the_verdict_follows_the_rule(all_gain, half_gain, verdict, best):
    decision = decide(findings(all_gain, half_gain))
    assert (decision.verdict, decision.best) == (verdict, best)
    assert decision.reasons


def test_a_harmful_source_is_called_harmful_whatever_else_holds():
    codes = [
        [r.code for r in decide(findings((-0.2, -0.1, -0.05), (-0.1, 0, up))).reasons]
        for up in (0, 0.1)
    ]
    assert codes == [["everything-hurts", "upper-bounds-below-margin"], ["everything-hurts"]]


def test_a_part_of_the_layers_is_not_everything():
    part = {"kind": "inherit", "options": {"alpha": 1.0, "include": ["layer1"]}}
    hurts = arm("all", 1, (-0.2, -0.1, -0.05), method=part)
    given = findings((-0.2, -0.1, -0.05), (-0.1, 0, 0.1))
    arms = (given.arms[0], hurts, given.arms[2])
    changed = findings((-0.2, -0.1, -0.05), (-0.1, 0, 0.1), arms=arms)
    assert decide(changed).verdict is Verdict.UNDECIDED


def test_the_reason_names_the_arm_its_interval_and_the_numbers():
    reason = decide(findings((0.021, 0.1, 0.2), (-0.1, 0, 0.1))).reasons[0]
    assert reason.text == "'all' beats scratch: +10.0 points (at least +2.1, at most +20.0)"
    assert reason.numbers == {"gain": 0.1, "lower": 0.021, "upper": 0.2}
    reason = decide(findings((-0.1, 0.05, 0.2), (-0.1, 0, 0.005))).reasons[0]
    assert "'all'" in reason.text
    assert "'half'" not in reason.text  # it could not gain the margin: it decides nothing
    reason = decide(findings((-0.2, -0.1, -0.05), (-0.1, 0, 0.002))).reasons[1]
    assert reason.text == (
        "no arm can gain the margin of +1.0 points: the most that 'half' could gain is +0.2 points"
    )
    assert reason.numbers == {"gain": 0, "lower": -0.1, "upper": 0.002, "margin": 0.01}


def test_scores_that_are_no_shares_have_no_points():
    reason = decide(findings((2, 10, 20), (-10, 0, 10), percent=False)).reasons[0]
    assert reason.text == "'all' beats scratch: +10 (at least +2, at most +20)"


@pytest.mark.parametrize(("score", "verdict"), [(0.219, "undecided"), (0.221, "scratch")])
def test_two_standard_errors_above_guessing_are_better_than_guessing(score, verdict):
    given = findings((-0.2, -0.1, 0.005), (-0.1, 0, 0.005))
    arms = tuple(x.model_copy(update={"score": score}) for x in given.arms)
    changed = findings((-0.2, -0.1, 0.005), (-0.1, 0, 0.005), arms=arms, chance=0.2, classes=5)
    decision = decide(changed)
    assert decision.verdict == verdict
    text = " ".join(reason.text for reason in decision.reasons)
    assert ("21.9 % correct; always predicting the largest of 5 classes gives 20.0 %" in text) == (
        verdict == "undecided"
    )


def test_an_arm_that_learns_is_recommended_though_scratch_guesses():
    given = findings((0.1, 0.2, 0.3), (0.2, 0.3, 0.4), chance=0.5, classes=2)
    arms = (given.arms[0], given.arms[1].model_copy(update={"score": 0.7}), given.arms[2])
    decision = decide(findings((0.1, 0.2, 0.3), (0.2, 0.3, 0.4), chance=0.5, arms=arms))
    assert (decision.verdict, decision.best) == (Verdict.INHERIT, "all")
    assert [reason.code for reason in decision.reasons] == [
        "lower-bound-above-zero",
        "scratch-at-chance",
    ]


def test_an_arm_of_which_nothing_is_said_did_not_diverge():
    plain = arm("all", 1, (0.1, 0.2, 0.3))
    assert (plain.status, plain.diverged_seeds) == (ArmStatus.OK, 0)


def test_where_all_arms_diverged_nothing_is_decided():
    arms = tuple(
        arm(name, alpha, None, status=ArmStatus.DIVERGED if alpha else ArmStatus.OK)
        for name, alpha in (("scratch", 0), ("all", 1), ("half", 0.5))
    )
    decision = decide(findings(None, None, arms=arms))
    assert decision.verdict is Verdict.UNDECIDED
    assert [reason.code for reason in decision.reasons] == ["arm-diverged", "arm-diverged"]
    assert "it is not recommended" in decision.reasons[0].text


def test_where_scratch_diverged_no_gain_counts():
    gain = (0.1, 0.2, 0.3)
    diverged = arm("scratch", 0, None, status=ArmStatus.DIVERGED, diverged_seeds=2)
    decision = decide(findings(gain, gain, arms=(diverged, *findings(gain, gain).arms[1:])))
    assert (decision.verdict, decision.best) == (Verdict.UNDECIDED, None)
    (reason,) = decision.reasons
    assert (reason.code, reason.severity) == ("scratch-diverged", Severity.WARNING)
    assert reason.numbers == {"diverged": 2}
    assert "2 of its trainings" in reason.text
    assert "nothing can be compared with it" in reason.text


@pytest.mark.parametrize("changes", [{"include": ["layer1"]}, {"exclude": ["layer1"]}])
def test_only_the_loss_of_everything_speaks_for_scratch(changes):
    """Half of the channels, or part of the layers, may hurt where another part helps."""
    part = {"kind": "inherit", "options": {"alpha": 1.0} | changes}
    hurts, other = (-0.2, -0.1, -0.05), (-0.1, 0, 0.1)
    arms = (arm("scratch", 0, None), arm("all", 1, hurts, method=part), arm("half", 0.5, other))
    assert decide(findings(hurts, other, arms=arms)).verdict is Verdict.UNDECIDED
    whole = {"kind": "inherit", "options": {"alpha": 1.0, "include": [], "exclude": []}}
    arms = (arms[0], arm("all", 1, hurts, method=whole), arms[2])
    assert decide(findings(hurts, other, arms=arms)).verdict is Verdict.SCRATCH


def test_every_arm_that_might_reach_the_margin_is_named_with_its_bound():
    reason = decide(findings((-0.1, 0.05, 0.2), (-0.2, 0, MARGIN))).reasons[0]
    assert reason.code == "intervals-too-wide"
    assert reason.text == (
        "'all' might reach the margin of +1.0 points: +5.0 points (at least -10.0, at most +20.0); "
        "'half' might reach the margin of +1.0 points: +0.0 points (at least -20.0, at most +1.0)"
    )
    assert reason.numbers == {
        "upper bound of 'all'": 0.2,
        "upper bound of 'half'": MARGIN,
        "margin": MARGIN,
    }


def more_data(mean, between_seeds, between_examples, seeds=5, examples=100):
    """What is said of one arm whose interval includes 0 and the margin."""
    gains = GainSpread(
        mean=mean,
        seeds=seeds,
        examples=examples,
        between_seeds=between_seeds,
        residual=0.0,
        between_examples=between_examples,
        bound=1.0,
    )
    both = (mean - 0.5, mean, mean + 0.5)
    decision = decide(findings(both, both, spreads={"all": gains, "half": gains}))
    assert decision.verdict is Verdict.UNDECIDED
    reason = decision.reasons[1]
    assert reason.code == "more-data-needed"
    assert reason.text.endswith(", if the mean gains stay as they are")
    return reason.text.removesuffix(", if the mean gains stay as they are"), reason.numbers


def test_where_either_more_seeds_or_more_examples_would_decide_it_both_are_said():
    text, numbers = more_data(0.5, 1e-9, 1e-9)
    assert text == (
        "about 6 seeds would decide it (5 were run), and so would about 101 held-out examples "
        "(100 were used)"
    )
    assert numbers == {"seeds": 6, "held-out examples": 101}


def test_where_only_more_seeds_would_decide_it_examples_are_not_said():
    text, numbers = more_data(0.5, 0.1, 0.0)
    assert text.startswith("about ")
    assert text.endswith(" seeds would decide it (5 were run)")
    assert set(numbers) == {"seeds"}


def test_where_only_more_examples_would_decide_it_that_is_said():
    text, numbers = more_data(0.5, 0.0, 0.1, seeds=1234, examples=5678)
    assert text.startswith("no number of seeds up to 1,000 would decide it, but about ")
    assert text.endswith(" held-out examples would (5,678 were used)")
    assert set(numbers) == {"held-out examples"}


def test_where_nothing_would_decide_it_that_is_said_and_no_number():
    text, numbers = more_data(MARGIN, 1.0, 1.0)
    assert text == (
        "no number of seeds up to 1,000 would decide it, nor would 100,000 held-out examples: the "
        "gain is close to the margin"
    )
    assert numbers == {}


def test_scratch_at_chance_is_a_warning_with_both_numbers():
    gain = (0.1, 0.2, 0.3)
    given = findings(gain, gain, chance=0.5, classes=2)
    arms = (given.arms[0], given.arms[1].model_copy(update={"score": 0.7}), given.arms[2])
    warning = decide(findings(gain, gain, chance=0.5, classes=2, arms=arms)).reasons[1]
    assert (warning.code, warning.severity) == ("scratch-at-chance", Severity.WARNING)
    assert warning.numbers == {"score": 0.5, "chance": 0.5}
    assert "(50.0 % correct; always predicting the largest of 2 classes gives 50.0 %)" in (
        warning.text
    )


def test_where_guessing_has_no_score_nobody_is_said_to_guess():
    gain = (0.1, 0.2, 0.3)
    codes = [reason.code for reason in decide(findings(gain, gain, chance=None)).reasons]
    assert codes == ["lower-bound-above-zero"]


def seeds_by_hand(mean, half_at_5, margin):
    """Search every number of seeds, where all variance is between seeds."""
    for n in range(6, 1001):
        half = half_at_5 / t.ppf(0.975, 4) * t.ppf(0.975, n - 1) * (5 / n) ** 0.5
        if mean - half > 0 or mean + half < margin:
            return n
    return None


@pytest.mark.parametrize("mean", [0.05, 0.02, -0.03, 0.009])
def test_it_says_about_how_many_seeds_would_decide(mean):
    gain = (mean - 0.1, mean, mean + 0.1)
    decision = decide(findings(gain, (-0.1, -0.09, 0.001)))
    expected = seeds_by_hand(mean, 0.1, MARGIN)
    assert decision.seeds_needed == pytest.approx(expected, rel=0.06, abs=1)
    assert decision.reasons[1].code == "more-data-needed"
    assert decision.reasons[1].text.startswith(f"about {decision.seeds_needed:,} seeds")
    assert "(5 were run)" in decision.reasons[1].text
    assert decision.reasons[1].numbers["seeds"] == decision.seeds_needed


def test_no_number_of_seeds_decides_what_only_examples_would():
    by_examples = GainSpread(
        mean=0.005,
        seeds=5,
        examples=100,
        between_seeds=0.0,
        residual=0.0,
        between_examples=0.0005,
        bound=1.0,
    )
    more = needed({"all": by_examples}, 0.0, 0.05)
    assert more.seeds is None
    # the half-width 1.96 * sqrt(0.0005 * 100 / n) must fall below 0.005
    assert more.examples == pytest.approx(1.96**2 * 0.05 / 0.005**2, rel=0.06)
    gain = (-0.04, 0.005, 0.05)
    decision = decide(findings(gain, gain, spreads={"all": by_examples, "half": by_examples}))
    assert "no number of seeds up to 1,000 would decide it, but about" in decision.reasons[1].text
    assert decision.seeds_needed is None


def test_a_gain_of_exactly_the_margin_is_never_decided_against_and_a_loss_of_everything_is_enough():
    at_margin = spread((-0.1, 0.0, 0.1))
    assert needed({"all": at_margin}, 0.0, 0.05).seeds is None
    harmful = {"all": spread((-0.2, -0.05, 0.1)), "half": spread((-0.3, 0.0, 0.3))}
    assert needed(harmful, 0.0, 0.05).seeds is None
    # its upper bound -0.05 + half-width falls below 0 as a lower bound of +0.05 would rise above
    expected = seeds_by_hand(0.05, 0.15, -np.inf)
    assert needed(harmful, 0.0, 0.05, whole=["all"]).seeds == pytest.approx(expected, abs=2)
