"""The rule that turns intervals into a verdict, and the words that say why."""

from collections.abc import Sequence
from dataclasses import dataclass

from legatee.advice import ArmResult, Reason, Verdict
from legatee.intervals import Interval


def decide(
    arms: Sequence[ArmResult], margin: float, *, percent: bool = True
) -> tuple[Verdict, str | None, tuple[Reason, ...]]:
    """Say what follows from the intervals.

    ``inherit`` when some arm's lower bound is above 0; ``scratch`` when every arm's upper bound
    is below the margin, or when inheriting everything is shown to be worse and no arm better;
    otherwise ``undecided``.

    Args:
        arms: Results, scratch first.
        margin: Gain below which inheriting is not worth the trouble [score].
        percent: Whether scores are shares, whose gains are called points.

    Returns:
        Verdict, the arm to use, and the findings it rests on.
    """
    rivals = [(arm, arm.gain) for arm in arms if arm.gain is not None]
    words = _Words(percent=percent)
    shown = [(arm, gain) for arm, gain in rivals if gain.lower > 0]
    if shown:
        arm, gain = max(shown, key=lambda pair: pair[1].estimate)
        text = f"{arm.name!r} beats scratch: {words.interval(gain)}"
        return Verdict.INHERIT, arm.name, (Reason(code="lower-bound-above-zero", text=text),)
    found = []
    for arm, gain in rivals:
        if arm.alpha == 1 and gain.upper < 0:
            text = f"{arm.name!r} does worse than scratch: {words.interval(gain)}"
            found.append(Reason(code="everything-hurts", text=text))
    if all(gain.upper < margin for _, gain in rivals):
        arm, gain = max(rivals, key=lambda pair: pair[1].upper)
        text = (
            f"no arm can gain the margin of {words.gain(margin)}: "
            f"the most that {arm.name!r} could is {words.gain(gain.upper)}"
        )
        found.append(Reason(code="upper-bounds-below-margin", text=text))
    if found:
        return Verdict.SCRATCH, None, tuple(found)
    text = "; ".join(
        f"{arm.name!r} might reach the margin of {words.gain(margin)}: {words.interval(gain)}"
        for arm, gain in rivals
        if gain.upper >= margin
    )
    return Verdict.UNDECIDED, None, (Reason(code="intervals-too-wide", text=text),)


@dataclass(frozen=True)
class _Words:
    """How gains are written: as percentage points where scores lie in 0..1, else as they are."""

    percent: bool

    def number(self, gain: float) -> str:
        """Return a gain without its unit."""
        return f"{100 * gain:+.1f}" if self.percent else f"{gain:+.4g}"

    def gain(self, gain: float) -> str:
        """Return a gain."""
        return self.number(gain) + (" points" if self.percent else "")

    def interval(self, gain: Interval) -> str:
        """Return an estimate with its bounds."""
        bounds = f"at least {self.number(gain.lower)}, at most {self.number(gain.upper)}"
        return f"{self.gain(gain.estimate)} ({bounds})"
