from math import nan

import pytest
from report_cases import HOSTILE

from legatee.advice import ArmStatus
from legatee.report.words import Scale, leader, scale_of, sentence
from legatee.text import MINUS


def said(case):
    return sentence(case.advice, scale_of(case.advice, case.runs)).striptags()


def test_each_verdict_in_one_sentence(cases):
    assert said(cases["inherit"]) == (
        "Inherit: start from half of the upstream network; it gains 10.2 points (at least 5.1, "
        "at most 15.3) over training from scratch."
    )
    assert said(cases["scratch"]) == (
        "Train from scratch: starting from all of the upstream network costs 4.1 points (at least "
        "0.9, at most 7.3), and no part is shown to gain."
    )
    assert said(cases["undecided"]) == (
        "Undecided: these runs cannot tell whether inheriting helps; the best way tried, half, "
        f"changes the score by +1.3 points (between {MINUS}2.0 and +4.6)."
    )
    assert said(cases["untried"]) == "Train from scratch: no way to inherit was tried."


def test_trainings_that_diverged_are_not_called_untried(cases):
    advice = cases["scratch"].advice
    diverged = {"status": ArmStatus.DIVERGED, "diverged_seeds": 2, "gain": None}
    every_way = [arm if arm.is_scratch else arm.model_copy(update=diverged) for arm in advice.arms]
    alone = [
        arm.model_copy(update=diverged if arm.is_scratch else {"gain": None}) for arm in every_way
    ]
    for arms, words in (
        (every_way, "Train from scratch: every way to inherit diverged."),
        (
            alone,
            "Train from scratch: training from scratch diverged, so there is nothing to compare "
            "with.",
        ),
    ):
        changed = advice.model_copy(update={"arms": tuple(arms)})
        assert sentence(changed, scale_of(changed, None)).striptags() == words


def test_where_nothing_is_shown_to_hurt_the_best_way_is_told(cases):
    advice = cases["scratch"].advice
    arms = (advice.arm("scratch"), advice.arm("half"))
    kept = advice.model_copy(update={"arms": arms})
    assert sentence(kept, scale_of(kept, None)).striptags() == (
        "Train from scratch: inheriting does not pay; the best way tried, half, changes the score "
        f"by {MINUS}0.4 points (between {MINUS}3.1 and +0.7)."
    )


def test_scores_beyond_one_are_no_percentages(cases):
    assert "gains 4.1 (at least 2.5, at most 5.8) over" in said(cases["plain"])
    assert not scale_of(cases["plain"].advice, None).percent


def test_one_score_beyond_one_is_enough(cases):
    case = cases["inherit"]
    assert scale_of(case.advice, case.runs).percent
    odd = case.runs.copy(deep=True)
    odd["held_out_score"][0, 0, -1] = 1.5
    assert not scale_of(case.advice, odd).percent


def test_names_are_escaped(cases):
    case = cases["hostile"]
    html = sentence(case.advice, scale_of(case.advice, None))
    assert "<script" not in html
    assert HOSTILE in html.unescape()


def test_an_arm_that_diverged_never_leads(cases):
    advice = cases["hostile"].advice.model_copy(update={"best": None})
    assert leader(advice).name == HOSTILE


@pytest.mark.parametrize(
    ("gain", "text"),
    [
        (0.102, "+10.2"),
        (-0.004, f"{MINUS}0.4"),
        (0.0004, "0.0"),
        (-0.0004, "0.0"),
        (nan, "unknown"),
    ],
)
def test_gains_carry_their_sign_unless_they_are_nothing(gain, text):
    assert Scale(percent=True, decimals=1).signed(gain) == text


def test_one_point_is_singular():
    scale = Scale(percent=True, decimals=1)
    assert (scale.points(0.01), scale.points(0.005)) == ("1 point", "0.5 points")
