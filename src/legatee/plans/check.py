"""What a self-check of a plan found, by numbers: which channels compute what they computed."""

from typing import Literal

from pydantic import NonNegativeInt

from legatee.document import Record

NAMED = 3  # layers and operations that a sentence names before it counts the rest
TOLERANCE = 1e-9  # largest difference, as a share of the largest value, that counts as none


class Difference(Record):
    """A channel group whose inherited channels do not compute what they computed.

    Attributes:
        layers: Layers of the target that the group runs through.
        size: Channels of the group [count].
        why: The operation at which the networks first differ.
    """

    layers: tuple[str, ...]
    size: NonNegativeInt
    why: str

    def __str__(self) -> str:
        """Return the group and the cause, as a line of the plan shows them."""
        return f"the {self.size} channels of {_first(self.layers)}: {self.why}"


class PlanCheck(Record):
    """Whether inherited channels compute what they computed in the source.

    The source's elements that the plan does not take are set to zero, and so are the elements of
    the target that it does not fill. Both networks then run on the same inputs with random weights,
    in float64, and every inherited layer is compared: what it reads, and what it computes. Values
    agree if they differ by less than :data:`TOLERANCE` of the largest.

    Attributes:
        verdict: ``"consistent"`` if all agree; ``"except_normalisation"`` if they agree once all
            averages over channels leave out those that are silenced; ``"inconsistent"`` if they do
            not; ``"unchecked"`` if the networks could not be compared.
        groups: Channel groups of the target that inherit anything [count].
        agreeing: Groups that agree wherever they were compared [count].
        following: Groups that differ only because what their layers read differs already [count].
        unreached: Groups that carry no signal, or are in no layer that can be compared [count].
        differences: Groups at which the networks first differ, in the target's order; for
            ``"except_normalisation"`` those at which they differ as the networks are.
        normalisations: Operations that average over channels of which some are silenced.
        reason: Why nothing could be compared; ``""`` if it could.
    """

    verdict: Literal["consistent", "except_normalisation", "inconsistent", "unchecked"]
    groups: NonNegativeInt = 0
    agreeing: NonNegativeInt = 0
    following: NonNegativeInt = 0
    unreached: NonNegativeInt = 0
    differences: tuple[Difference, ...] = ()
    normalisations: tuple[str, ...] = ()
    reason: str = ""

    @property
    def headline(self) -> str:
        """The verdict in a few words."""
        if self.verdict == "unchecked":
            return "consistency not checked"
        if self.verdict == "consistent":
            return "checked: consistent"
        if self.verdict == "except_normalisation":
            return "checked: consistent apart from normalisation across channels"
        differing = len(self.differences) + self.following
        return f"checked: NOT consistent in {differing} of {_groups(self.groups)}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader of the plan must know: nothing, or one sentence."""
        if self.verdict == "unchecked":
            return (f"the consistency of the plan could not be checked: {self.reason}",)
        if self.verdict != "inconsistent":
            return ()
        return (
            "the plan is not consistent: inherited channels do not compute what they computed in "
            f"the source, first in {self.differences[0]}",
        )

    def __str__(self) -> str:
        """Return the verdict, what agrees, and each group that does not, line by line."""
        if self.verdict == "unchecked":
            return f"{self.headline}: {self.reason}"
        parts = [f"{self.agreeing} of {_groups(self.groups)} agree"]
        if self.unreached:
            parts.append(f"{self.unreached} could not be compared")
        if self.following:
            parts.append(f"{self.following} differ because what they read differs")
        lines = [f"{self.headline} ({', '.join(parts)})"]
        lines += [f"  differs: {difference}" for difference in self.differences]
        if self.normalisations:
            lines.append(f"  averages over silenced channels: {_first(self.normalisations)}")
        return "\n".join(lines)


def _first(names: tuple[str, ...]) -> str:
    """Name the first few and count the rest."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(repr(name) for name in names[:NAMED]) + more


def _groups(count: int) -> str:
    return "1 channel group" if count == 1 else f"{count} channel groups"
