"""What the advisor says: a verdict, the arms it rests on, the reasons, and what was not checked."""

from enum import StrEnum
from html import escape
from typing import Any, ClassVar

from pydantic import Field

from legatee.document import Document, Record
from legatee.intervals import Interval
from legatee.plans.plan import TransferPlan
from legatee.text import plain, share


class Verdict(StrEnum):
    """What to do with the upstream network's parameters."""

    INHERIT = "inherit"
    SCRATCH = "scratch"
    UNDECIDED = "undecided"


class ArmStatus(StrEnum):
    """How the trainings of an arm ended."""

    OK = "ok"
    DIVERGED = "diverged"


class Severity(StrEnum):
    """How much a finding should worry the reader."""

    INFO = "info"
    WARNING = "warning"


class ArmResult(Record):
    """What was measured of one way to start the downstream network.

    Attributes:
        name: The arm, such as ``"scratch"``, ``"all"`` or ``"half"``.
        method: Its transfer method as JSON: its ``kind`` and, where it copies, its ``options``.
        status: ``"diverged"`` if a training ended with weights or scores that are not finite.
        diverged_seeds: Trainings that ended so [count].
        inherited_fraction: Share of the target's elements inherited [fraction, 0..1].
        score: Mean held-out score over seeds and examples; NaN if a score is not finite [score].
        score_error: Standard error of that mean [score].
        gain: Paired difference to scratch; ``None`` for scratch itself, and where either of both
            diverged [score].
        seconds: Wall-clock time of all its trainings [s].
    """

    name: str
    method: dict[str, Any]
    status: ArmStatus = ArmStatus.OK
    diverged_seeds: int = 0
    inherited_fraction: float
    score: float
    score_error: float
    gain: Interval | None
    seconds: float

    @property
    def is_scratch(self) -> bool:
        """Whether nothing is inherited."""
        return self.method.get("kind") == "scratch"

    @property
    def alpha(self) -> float:
        """Share of each channel group inherited, 0 where nothing is copied [fraction, 0..1]."""
        return float(self.method.get("options", {}).get("alpha", 0.0))


class Reason(Record):
    """One finding that the verdict rests on, or that its reader should know.

    Attributes:
        code: A short stable name, such as ``"lower-bound-above-zero"``.
        text: The finding in a sentence.
        numbers: Its numbers by name, gains and scores as the metric's.
        severity: Whether it warns.
    """

    code: str
    text: str
    numbers: dict[str, float] = Field(default_factory=dict)
    severity: Severity = Severity.INFO


class OpenQuestion(Record):
    """Something that the verdict says nothing about.

    Attributes:
        code: A short stable name, such as ``"other-fractions"``.
        text: The question in a sentence.
    """

    code: str
    text: str


class Provenance(Record):
    """Where an advice comes from.

    Attributes:
        version: Version of legatee.
        command: What was typed or called.
        date: When it was finished, ISO 8601.
        device: Where the networks were trained.
        source: The upstream network, in words.
        target: The downstream network, in words.
        data: The downstream data, in words.
        procedure: How every network was trained, by the name of the setting, such as
            ``{"epochs": "20"}``; empty where the caller's own function trained.
    """

    version: str
    command: str
    date: str
    device: str
    source: str
    target: str
    data: str
    procedure: dict[str, str] = Field(default_factory=dict)


class Advice(Document):
    """Whether to inherit, which part, how sure, and at what cost.

    Attributes:
        verdict: What to do.
        best: The arm to use when the verdict is ``inherit``, else ``None``.
        arms: Every arm that was trained, scratch first.
        reasons: What the verdict rests on, then what its reader should know.
        not_checked: What the verdict says nothing about.
        margin: Gain below which inheriting is not worth the trouble [score].
        error_rate: Chance that any of the intervals misses its true gain [fraction, 0..1].
        seeds: Seeds of the paired trainings.
        seeds_needed: About how many seeds would decide an undecided case, if the mean gains stay
            as they are; ``None`` where it is decided, or where seeds alone would not [count].
        n_train: Downstream training examples [count].
        n_held_out: Held-out examples the arms were compared on [count].
        train_counts: Training examples of each class by name; empty where there are no classes.
        held_out_counts: Held-out examples of each class by name, likewise.
        plan: The transfer to apply when the verdict is ``inherit``, else ``None``.
        provenance: Where all this comes from.
    """

    kind: ClassVar[str] = "an advice"

    verdict: Verdict
    best: str | None
    arms: tuple[ArmResult, ...]
    reasons: tuple[Reason, ...]
    not_checked: tuple[OpenQuestion, ...]
    margin: float
    error_rate: float
    seeds: tuple[int, ...]
    seeds_needed: int | None = None
    n_train: int
    n_held_out: int
    train_counts: dict[str, int] = Field(default_factory=dict)
    held_out_counts: dict[str, int] = Field(default_factory=dict)
    plan: TransferPlan | None
    provenance: Provenance

    @property
    def comparisons(self) -> int:
        """Arms compared with scratch, which the intervals are corrected for [count]."""
        return len(self.arms) - 1

    @property
    def seconds(self) -> float:
        """Wall-clock time of all trainings [s]."""
        return sum(arm.seconds for arm in self.arms)

    def arm(self, name: str) -> ArmResult:
        """Return the arm of that name.

        Args:
            name: Such as ``"scratch"``.

        Returns:
            Its result.

        Raises:
            KeyError: If no arm has that name.
        """
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise KeyError(name)

    def __str__(self) -> str:
        """Return the verdict and its first reason."""
        return f"{self.verdict.value}: {self.reasons[0].text}"

    def __repr__(self) -> str:
        """Return one line: the verdict, the arms, and how much was trained."""
        arms = ", ".join(arm.name for arm in self.arms)
        best = f" {self.best!r}" if self.best is not None else ""
        return f"<Advice: {self.verdict.value}{best}; {arms}; {len(self.seeds)} seeds>"

    def _repr_html_(self) -> str:
        """Return the verdict and a table of the arms, for notebooks."""
        rows = "".join(_row(arm) for arm in self.arms)
        heads = "".join(f"<th>{word}</th>" for word in ("arm", "inherited", "score", "gain"))
        return (
            f"<div><p><b>{escape(str(self))}</b></p><table><thead><tr>{heads}</tr></thead>"
            f"<tbody>{rows}</tbody></table></div>"
        )


def _row(arm: ArmResult) -> str:
    """Return one arm as a row of an HTML table."""
    gain = "" if arm.gain is None else _bounds(arm.gain)
    if arm.status is ArmStatus.DIVERGED:
        gain = f"diverged under {arm.diverged_seeds} seeds"
    score = f"{plain(arm.score)} ± {plain(arm.score_error, 2)}"
    cells = (arm.name, share(arm.inherited_fraction), score, gain)
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _bounds(gain: Interval) -> str:
    """Return a gain with its bounds, in units of the score."""
    return f"{plain(gain.estimate)} [{plain(gain.lower)}, {plain(gain.upper)}]"
