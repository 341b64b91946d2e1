"""What a verdict says nothing about."""

from typing import Any

from legatee.advice import OpenQuestion
from legatee.advisor.arms import Arm
from legatee.advisor.race import Race

FEW_SEEDS = 3


def open_questions(
    race: Race, twins: dict[str, str], *, classes_known: bool
) -> tuple[OpenQuestion, ...]:
    """Return what the verdict of a race says nothing about.

    Args:
        race: The race.
        twins: Arms that were left out -> the arm that inherits exactly the same.
        classes_known: Whether the source's class names were given.

    Returns:
        The questions.
    """
    arms = race.arms[1:]
    alphas = sorted({_option(arm, "alpha") for arm in arms if _option(arm, "alpha")}, reverse=True)
    rules = list(dict.fromkeys(filter(None, (_option(arm, "rule_name") for arm in arms))))
    kinds = list(dict.fromkeys(arm.method.kind for arm in arms))
    count = len(race.train)  # type: ignore[arg-type]
    texts = {
        "other-fractions": "Other fractions of the channels than "
        f"{', '.join(f'{alpha:g}' for alpha in alphas)}, and other selection rules than "
        f"{', '.join(rules)}.",
        "other-methods": "Other ways to tune what is inherited, such as freezing some layers or "
        f"lower learning rates for them: the methods compared are {', '.join(kinds)}.",
        "other-procedures": "Other training procedures: all arms were trained by the same one.",
        "other-amounts-of-data": f"Other amounts of data than {count:,} examples, and other "
        "samples of them: the intervals cover initialisations and held-out examples, not the "
        "choice of the training set.",
        "other-populations": "Data that differ from the held-out examples.",
    }
    if not classes_known:
        texts["head"] = (
            "Inheriting the classification head: the classes of the source are not known (pass "
            "source_class_names=, --source-class-names)."
        )
    if len(race.seeds) < FEW_SEEDS:
        texts["few-seeds"] = (
            f"Effects of the seed that happen to be equal in all {len(race.seeds)} seeds: with so "
            "few, an interval can miss them."
        )
    same = [
        OpenQuestion(
            code="same-arm",
            text=f"The arm {twin!r}: the source is so narrow that it inherits exactly what "
            f"{first!r} does.",
        )
        for twin, first in twins.items()
    ]
    return (*(OpenQuestion(code=code, text=text) for code, text in texts.items()), *same)


def _option(arm: Arm, name: str) -> Any:
    """Return an option of an arm's plan, ``None`` where it has none."""
    return getattr(getattr(arm.method, "options", None), name, None)
