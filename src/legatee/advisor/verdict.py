"""The rule that turns intervals into a verdict, and the sentences that give the reasons."""

from collections.abc import Mapping
from dataclasses import dataclass

from legatee.advice import ArmResult, ArmStatus, Reason, Severity, Verdict
from legatee.advisor.needed import MOST_EXAMPLES, MOST_SEEDS, Needed, needed
from legatee.intervals import GainSpread, Interval

SURE = 2  # standard errors above guessing that count as better than guessing


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a verdict rests on.

    Attributes:
        arms: Results, scratch first.
        spreads: Gain of each arm that has one, by its name.
        margin: Gain below which inheriting is not worth the trouble [score].
        error_rate: Chance that the interval of one arm misses [fraction, 0..1].
        percent: Whether scores are shares, whose differences are percentage points.
        chance: Score of always predicting the largest class; ``None`` where there is none [score].
        classes: Classes, for the sentence about guessing [count].
    """

    arms: tuple[ArmResult, ...]
    spreads: Mapping[str, GainSpread]
    margin: float
    error_rate: float
    percent: bool = True
    chance: float | None = None
    classes: int = 0


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A verdict with its reasons.

    Attributes:
        verdict: What to do.
        best: The arm to use when the verdict is ``inherit``, else ``None``.
        reasons: What it rests on, then what its reader should know.
        seeds_needed: About how many seeds would decide an undecided case [count].
    """

    verdict: Verdict
    best: str | None
    reasons: tuple[Reason, ...]
    seeds_needed: int | None = None


def decide(findings: Findings) -> Decision:
    """Return what follows from the intervals.

    ``inherit`` when some arm's lower bound is above 0; ``scratch`` when every arm's upper bound
    is below the margin, or when inheriting everything is shown to be worse and no arm better;
    otherwise ``undecided``. An arm that diverged, or that is not shown to be better than guessing
    while scratch is neither, is not recommended; where scratch diverged, or neither scratch nor
    any arm is better than guessing, nothing is decided.

    Args:
        findings: The intervals and all else.

    Returns:
        Verdict, the arm to use, and the reasons.
    """
    scratch, *rivals = findings.arms
    notes = [_diverged(arm) for arm in findings.arms if arm.status is ArmStatus.DIVERGED]
    if scratch.status is ArmStatus.DIVERGED or all(arm.gain is None for arm in rivals):
        return Decision(verdict=Verdict.UNDECIDED, best=None, reasons=tuple(notes))
    guessing = _is_guess(scratch, findings)
    if guessing:
        notes.append(_guess(scratch, findings))
    usable = [(a, a.gain) for a in rivals if a.gain and not (guessing and _is_guess(a, findings))]
    if not usable:
        return Decision(verdict=Verdict.UNDECIDED, best=None, reasons=tuple(notes))
    words = _Words(percent=findings.percent)
    better = [(arm, gain) for arm, gain in usable if gain.lower > 0]
    if better:
        arm, gain = max(better, key=lambda pair: pair[1].estimate)
        text = f"{arm.name!r} beats scratch: {words.interval(gain)}"
        reason = Reason(code="lower-bound-above-zero", text=text, numbers=_numbers(gain))
        return Decision(verdict=Verdict.INHERIT, best=arm.name, reasons=(reason, *notes))
    if reasons := _against(usable, findings.margin, words):
        return Decision(verdict=Verdict.SCRATCH, best=None, reasons=(*reasons, *notes))
    return _undecided(usable, findings, words, notes)


def _against(
    usable: list[tuple[ArmResult, Interval]], margin: float, words: "_Words"
) -> list[Reason]:
    """Return what speaks for scratch."""
    reasons = []
    for arm, gain in usable:
        if _is_whole(arm) and gain.upper < 0:
            text = f"{arm.name!r} does worse than scratch: {words.interval(gain)}"
            reasons.append(Reason(code="everything-hurts", text=text, numbers=_numbers(gain)))
    if all(gain.upper < margin for _, gain in usable):
        arm, gain = max(usable, key=lambda pair: pair[1].upper)
        text = (
            f"no arm can gain the margin of {words.gain(margin)}: "
            f"the most that {arm.name!r} could gain is {words.gain(gain.upper)}"
        )
        numbers = _numbers(gain) | {"margin": margin}
        reasons.append(Reason(code="upper-bounds-below-margin", text=text, numbers=numbers))
    return reasons


def _undecided(
    usable: list[tuple[ArmResult, Interval]],
    findings: Findings,
    words: "_Words",
    notes: list[Reason],
) -> Decision:
    """Return what might still be, and how much more would decide it."""
    margin = findings.margin
    open_arms = [(arm, gain) for arm, gain in usable if gain.upper >= margin]
    text = "; ".join(
        f"{arm.name!r} might reach the margin of {words.gain(margin)}: {words.interval(gain)}"
        for arm, gain in open_arms
    )
    numbers = {f"upper bound of {arm.name!r}": gain.upper for arm, gain in open_arms}
    wide = Reason(code="intervals-too-wide", text=text, numbers=numbers | {"margin": margin})
    spreads = {arm.name: findings.spreads[arm.name] for arm, _ in usable}
    whole = [arm.name for arm, _ in usable if _is_whole(arm)]
    more = needed(spreads, margin, findings.error_rate, whole)
    reasons = (wide, _more(more, next(iter(spreads.values()))), *notes)
    return Decision(verdict=Verdict.UNDECIDED, best=None, reasons=reasons, seeds_needed=more.seeds)


def _more(more: Needed, now: GainSpread) -> Reason:
    """Say how much more would decide a case."""
    if more.seeds is not None:
        text = f"about {more.seeds:,} seeds would decide it ({now.seeds:,} were run)"
    else:
        text = f"no number of seeds up to {MOST_SEEDS:,} would decide it"
    if more.examples is not None:
        also = "and so would" if more.seeds is not None else "but"
        end = "" if more.seeds is not None else " would"
        text += (
            f", {also} about {more.examples:,} held-out examples{end} ({now.examples:,} were used)"
        )
    elif more.seeds is None:
        text += f", nor would {MOST_EXAMPLES:,} held-out examples: the gain is close to the margin"
    numbers = {"seeds": more.seeds, "held-out examples": more.examples}
    kept = {name: float(count) for name, count in numbers.items() if count is not None}
    text += ", if the mean gains stay as they are"
    return Reason(code="more-data-needed", text=text, numbers=kept)


def _diverged(arm: ArmResult) -> Reason:
    """Say that trainings of an arm diverged."""
    count = f"{arm.diverged_seeds} of its trainings"
    consequence = "nothing can be compared with it" if arm.is_scratch else "it is not recommended"
    return Reason(
        code="scratch-diverged" if arm.is_scratch else "arm-diverged",
        text=f"{arm.name!r} diverged: {count} ended with weights or scores that are not finite, so "
        f"{consequence}; a lower learning rate may help",
        numbers={"diverged": float(arm.diverged_seeds)},
        severity=Severity.WARNING,
    )


def _is_guess(arm: ArmResult, findings: Findings) -> bool:
    """Tell whether an arm is not shown to be better than guessing."""
    chance = findings.chance
    return chance is not None and not arm.score - SURE * arm.score_error > chance


def _guess(scratch: ArmResult, findings: Findings) -> Reason:
    """Say that scratch is no better than guessing."""
    chance = findings.chance or 0.0
    return Reason(
        code="scratch-at-chance",
        text=f"scratch is not shown to be better than guessing ({100 * scratch.score:.1f} % "
        f"correct; always predicting the largest of {findings.classes} classes gives "
        f"{100 * chance:.1f} %): train longer, or with another learning rate",
        numbers={"score": scratch.score, "chance": chance},
        severity=Severity.WARNING,
    )


def _is_whole(arm: ArmResult) -> bool:
    """Tell whether an arm inherits all that it can."""
    options = arm.method.get("options", {})
    return arm.alpha == 1 and not options.get("include") and not options.get("exclude")


def _numbers(gain: Interval) -> dict[str, float]:
    """Return the numbers of a gain by name."""
    return {"gain": gain.estimate, "lower": gain.lower, "upper": gain.upper}


@dataclass(frozen=True)
class _Words:
    """How gains are written: as percentage points where scores are shares, else as they are."""

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
