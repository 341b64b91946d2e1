"""The words of the report: scores, gains, durations, and the verdict in one sentence."""

from dataclasses import dataclass
from math import floor, inf, isfinite, log10

import numpy as np
import xarray as xr
from markupsafe import Markup

from legatee.advice import Advice, ArmResult, ArmStatus, Verdict
from legatee.report.canvas import cut
from legatee.text import MINUS, number

MOST_POSITIONS = 40  # of positions along an axis; a plan's file holds the rest [characters]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How scores are written: times a factor, to so many decimals.

    Attributes:
        percent: Whether scores are shares, written as percentages, their differences as points.
        decimals: Digits after the point [count].
    """

    percent: bool
    decimals: int

    @property
    def factor(self) -> int:
        """What a score is multiplied by before it is written."""
        return 100 if self.percent else 1

    def score(self, score: float) -> str:
        """Return a score, or the error of one, without its unit."""
        return number(score * self.factor, self.decimals)

    def signed(self, gain: float) -> str:
        """Return a gain with its sign and without its unit."""
        size = self.score(abs(gain))
        if not isfinite(gain) or not float(size):
            return size
        return (MINUS if gain < 0 else "+") + size

    def points(self, gain: float) -> str:
        """Return the size of a gain with its unit, exactly."""
        size = f"{gain * self.factor:g}".replace("-", MINUS)
        if not self.percent:
            return size
        return f"{size} point" if size == "1" else f"{size} points"


def scale_of(advice: Advice, runs: xr.Dataset | None) -> Scale:
    """Return how the scores of one case are written.

    Args:
        advice: The case's advice.
        runs: Its runs, where they were kept.

    Returns:
        Percentages where every score lies in 0..1, otherwise plain numbers; one more decimal for
        every power of ten that the smallest error lies below 1.
    """
    scores = [arm.score for arm in advice.arms]
    if runs is not None:
        scores += [*runs["score"].values.ravel(), *runs["held_out_score"].values.ravel()]
    finite = np.asarray(scores)[np.isfinite(scores)]
    percent = bool(((finite >= 0) & (finite <= 1)).all())
    errors = [arm.score_error for arm in advice.arms]
    smallest = min((e for e in errors if e > 0 and isfinite(e)), default=1.0)
    digits = -floor(log10(smallest * (100 if percent else 1)))
    return Scale(percent=percent, decimals=min(max(digits, 1), 6))


def leader(advice: Advice) -> ArmResult | None:
    """Return the arm that the verdict is about: the best, else the one that gained most."""
    if advice.best is not None:
        return advice.arm(advice.best)
    tried = [(arm.gain.estimate, arm) for arm in advice.arms if arm.gain is not None]
    tried = [(gain if isfinite(gain) else -inf, arm) for gain, arm in tried]
    return max(tried, key=lambda pair: pair[0])[1] if tried else None


def sentence(advice: Advice, scale: Scale) -> Markup:
    """Return the verdict in one sentence that needs no statistics to be understood.

    Args:
        advice: What was found.
        scale: How its scores are written.

    Returns:
        The sentence, as safe HTML.
    """
    arm = leader(advice)
    if arm is None or arm.gain is None:
        end = Markup("<b>{}:</b> {}.")
        return end.format(VERDICT_WORDS[advice.verdict], _why_no_gain(advice))
    name = Markup("<em>{}</em>").format(arm.name)
    gain, unit = arm.gain, " points" if scale.percent else ""
    if advice.verdict is Verdict.INHERIT:
        return Markup(
            "<b>Inherit:</b> start from {} of the upstream network; it gains {}{} "
            "(at least {}, at most {}) over training from scratch."
        ).format(
            name if arm.name in ("all", "half") else Markup("the part {}").format(name),
            *(scale.score(gain.estimate), unit, scale.score(gain.lower), scale.score(gain.upper)),
        )
    found = Markup("the best way tried, {}, changes the score by {}{} (between {} and {})")
    found = found.format(
        name,
        *(scale.signed(gain.estimate), unit, scale.signed(gain.lower), scale.signed(gain.upper)),
    )
    if advice.verdict is Verdict.SCRATCH:
        worst = min(advice.arms, key=lambda a: a.gain.upper if a.gain else inf)
        if worst.gain and worst.gain.upper < 0:
            return Markup(
                "<b>Train from scratch:</b> starting from <em>{}</em> of the upstream network "
                "costs {}{} (at least {}, at most {}), and no part is shown to gain."
            ).format(
                *(worst.name, scale.score(-worst.gain.estimate), unit),
                *(scale.score(-worst.gain.upper), scale.score(-worst.gain.lower)),
            )
        return Markup("<b>Train from scratch:</b> inheriting does not pay; {}.").format(found)
    return Markup("<b>Undecided:</b> these runs cannot tell whether inheriting helps; {}.").format(
        found
    )


def _why_no_gain(advice: Advice) -> str:
    """Say why no way to inherit has a gain."""
    diverged = [arm for arm in advice.arms if arm.status is ArmStatus.DIVERGED]
    if any(arm.is_scratch for arm in diverged):
        return "training from scratch diverged, so there is nothing to compare with"
    return "every way to inherit diverged" if diverged else "no way to inherit was tried"


VERDICT_WORDS = {
    Verdict.INHERIT: "Inherit",
    Verdict.SCRATCH: "Train from scratch",
    Verdict.UNDECIDED: "Undecided",
}


def duration(seconds: float) -> str:
    """Return a length of time in the two units that matter.

    Args:
        seconds: How long [s].

    Returns:
        Such as ``"3 min 12 s"``.

    Example:
        >>> duration(0.42), duration(192), duration(4000), duration(200_000)
        ('0.42 s', '3 min 12 s', '1 h 6 min', '55 h 33 min')
    """
    if not isfinite(seconds):
        return "unknown"
    if seconds < 59.95:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def positions(text: str, count: int, size: int) -> str:
    """Return how many of the positions along an axis are meant, and which.

    Args:
        text: The positions as a plan writes them.
        count: How many these are [count].
        size: Length of the axis [count].

    Returns:
        Such as ``"64 of 256 (0:253:4)"``, cut off where it is long.

    Example:
        >>> positions("0:64", 64, 64), positions("0:253:4", 64, 256)
        ('all 64', '64 of 256 (0:253:4)')
    """
    if text == f"0:{size}":
        return f"all {size:,}"
    return f"{count:,} of {size:,} ({cut(text, MOST_POSITIONS)})"
