"""What a self-check says of itself: its headline, its warning, and its lines."""

import pytest

from legatee.plans.check import Difference, PlanCheck

GROUP = Difference(layers=("stem", "norm", "last", "head"), size=8, why="mean combines channels")


@pytest.mark.parametrize(
    ("check", "headline", "warned"),
    [
        (PlanCheck(verdict="consistent", groups=3, agreeing=3), "checked: consistent", ""),
        (
            PlanCheck(verdict="except_normalisation", groups=3, agreeing=3, differences=(GROUP,)),
            "checked: consistent apart from normalisation across channels",
            "",
        ),
        (
            PlanCheck(verdict="inconsistent", groups=1, differences=(GROUP,)),
            "checked: NOT consistent in 1 of 1 channel group",
            "the plan is not consistent",
        ),
        (
            PlanCheck(verdict="inconsistent", groups=5, following=3, differences=(GROUP,)),
            "checked: NOT consistent in 4 of 5 channel groups",
            "the plan is not consistent",
        ),
        (
            PlanCheck(verdict="unchecked", reason="nothing is inherited"),
            "consistency not checked",
            "could not be checked: nothing is inherited",
        ),
    ],
)
def test_each_verdict_has_a_headline_and_warns_where_it_must(check, headline, warned):
    assert check.headline == headline
    assert str(check).startswith(headline)
    assert warned in " ".join(check.warnings)
    assert bool(check.warnings) == bool(warned)


def test_the_lines_name_groups_causes_and_how_many_are_left_out():
    check = PlanCheck(
        verdict="inconsistent",
        groups=9,
        agreeing=4,
        following=2,
        unreached=2,
        differences=(GROUP,),
        normalisations=("mean after a", "mean after b"),
    )
    assert str(check).splitlines() == [
        "checked: NOT consistent in 3 of 9 channel groups (4 of 9 channel groups agree, 2 could "
        "not be compared, 2 differ because what they read differs)",
        "  differs: the 8 channels of 'stem', 'norm', 'last' and 1 more: mean combines channels",
        "  averages over silenced channels: 'mean after a', 'mean after b'",
    ]
