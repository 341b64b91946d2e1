"""The arms of ``legatee advise``: the shares and methods that were typed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from legatee.errors import LegateeError, UnknownNameError

if TYPE_CHECKING:
    from legatee.advisor.arms import Arm

METHODS = ("inherit", "linear_probe")


def arms_of(alphas: str, methods: list[str], options: Mapping[str, Any]) -> "list[Arm]":
    """Read ``--alpha`` and ``--method`` as arms.

    Args:
        alphas: Shares of the channels, separated by commas.
        methods: ``"inherit"`` tries every share; ``"linear_probe"`` inherits all channels.
        options: The other options of all plans, by name.

    Returns:
        The arms.

    Raises:
        LegateeError: If a share is none.
        UnknownNameError: If there is no such method.
    """
    from legatee.advisor.arms import ARMS, Arm
    from legatee.methods import Inherit, LinearProbe

    for method in methods:
        if method not in METHODS:
            raise UnknownNameError("--method", method, METHODS)
    names = {arm.method.options.alpha: arm.name for arm in ARMS if isinstance(arm.method, Inherit)}
    arms = []
    if "inherit" in methods:
        for text in alphas.split(","):
            alpha = _share(text)
            name = names.get(alpha, f"share {alpha:g}")
            arms.append(Arm(name=name, method=Inherit(alpha=alpha, **options)))
    if "linear_probe" in methods:
        arms.append(Arm(name="linear probe", method=LinearProbe(**options)))
    return arms


def _share(text: str) -> float:
    """Read one share."""
    try:
        alpha = float(text)
    except ValueError:
        alpha = float("nan")
    if not 0 < alpha <= 1:
        raise LegateeError(
            f"--alpha holds {text!r}; expected numbers above 0, up to 1, such as 1,0.5,0.25"
        )
    return alpha


def score_margin(points: float, *, percent: bool) -> float:
    """Read ``--margin``, which is in percentage points where scores are shares.

    Args:
        points: What was typed.
        percent: Whether scores are shares of correct answers.

    Returns:
        The margin in units of the score.

    Raises:
        LegateeError: If it can hardly be meant so.
    """
    if not percent:
        return points
    if points and not 0.1 <= points <= 100:
        raise LegateeError(
            f"--margin is {points:g} percentage points; expected 0, or 0.1 to 100 (one point is "
            "--margin 1)"
        )
    return points / 100
