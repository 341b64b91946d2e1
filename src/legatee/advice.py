"""What the advisor says: a verdict, the arms it rests on, the reasons, and what was not checked."""

from enum import StrEnum
from typing import ClassVar

from legatee.document import Document, Record
from legatee.intervals import Interval
from legatee.plans.plan import TransferPlan


class Verdict(StrEnum):
    """What to do with the upstream network's parameters."""

    INHERIT = "inherit"
    SCRATCH = "scratch"
    UNDECIDED = "undecided"


class ArmResult(Record):
    """What was measured of one way to start the downstream network.

    Attributes:
        name: The arm, such as ``"scratch"``, ``"all"`` or ``"half"``.
        alpha: Share of each channel group inherited [fraction, 0..1].
        rule: Selection rule that picked the channels.
        inherited_fraction: Share of the target's elements inherited [fraction, 0..1].
        score: Mean held-out score over seeds and examples [score].
        score_error: Standard error of that mean [score].
        gain: Paired difference to scratch, ``None`` for scratch itself [score].
        seconds: Wall-clock time of all its trainings [s].
    """

    name: str
    alpha: float
    rule: str
    inherited_fraction: float
    score: float
    score_error: float
    gain: Interval | None
    seconds: float


class Reason(Record):
    """One finding that the verdict rests on.

    Attributes:
        code: A short stable name, such as ``"lower-bound-above-zero"``.
        text: The finding in a sentence.
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
    """

    version: str
    command: str
    date: str
    device: str
    source: str
    target: str
    data: str


class Advice(Document):
    """Whether to inherit, which part, how sure, and at what cost.

    Attributes:
        verdict: What to do.
        best: The arm to use when the verdict is ``inherit``, else ``None``.
        arms: Every arm that was trained, scratch first.
        reasons: What the verdict rests on.
        not_checked: What was not looked at, each in a sentence.
        margin: Gain below which inheriting is not worth the trouble [score].
        error_rate: Chance that any of the intervals misses its true gain [fraction, 0..1].
        seeds: Seeds of the paired trainings.
        n_train: Downstream training examples [count].
        n_held_out: Held-out examples the arms were compared on [count].
        plan: The transfer to apply when the verdict is ``inherit``, else ``None``.
        provenance: Where all this comes from.
    """

    kind: ClassVar[str] = "an advice"

    verdict: Verdict
    best: str | None
    arms: tuple[ArmResult, ...]
    reasons: tuple[Reason, ...]
    not_checked: tuple[str, ...]
    margin: float
    error_rate: float
    seeds: tuple[int, ...]
    n_train: int
    n_held_out: int
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
