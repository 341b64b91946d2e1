"""What an experiment found: the figure as numbers, and each claim with its verdict."""

from enum import StrEnum
from math import inf
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from legatee.document import Document, Record

Numbers = tuple[float, ...]


class Outcome(StrEnum):
    """What became of a claim."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


class Axis(Record):
    """One axis of a panel.

    Attributes:
        label: What it measures, for a reader who is not an expert, unit included.
        log: Whether its scale is logarithmic.
    """

    label: str
    log: bool = False


class Series(Record):
    """Points that belong together.

    Attributes:
        name: What they are, for the legend.
        x: Where they stand.
        y: Their values; not a number where there is none.
        error: Half-width of the 95 % interval of each value; empty where there is none.
        kind: ``measured``, ``theory`` (a line without points) or ``scatter`` (points without a
            line).
        colour: Series of one colour belong together: what was measured, and its theory.
    """

    name: str
    x: Numbers
    y: Numbers
    error: Numbers = ()
    kind: Literal["measured", "theory", "scatter"] = "measured"
    colour: int = 0

    @model_validator(mode="after")
    def _equally_long(self) -> Self:
        if len(self.x) != len(self.y) or len(self.error) not in (0, len(self.y)):
            raise ValueError(f"series {self.name!r}: x, y and error differ in length")
        return self


class Curves(Record):
    """A panel of series.

    Attributes:
        title: What it shows.
        x: The horizontal axis.
        y: The vertical axis.
        series: What is drawn.
        level: Where a horizontal line is drawn for comparison, such as at no gain.
    """

    kind: Literal["curves"] = "curves"
    title: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    level: float | None = None


class Heatmap(Record):
    """A panel of values over two axes.

    Attributes:
        title: What it shows.
        x: The horizontal axis.
        y: The vertical axis.
        columns: Where the columns stand, increasing.
        rows: Where the rows stand, increasing.
        values: Value of each row and column; not a number where there is none.
        label: What a value is, unit included.
        scale: ``sequential`` for shares, ``diverging`` around zero for gains, ``cut`` for one of
            two classes (0 or 1).
        lines: Boundaries drawn on it.
    """

    kind: Literal["heatmap"] = "heatmap"
    title: str
    x: Axis
    y: Axis
    columns: Numbers
    rows: Numbers
    values: tuple[Numbers, ...]
    label: str
    scale: Literal["sequential", "diverging", "cut"] = "sequential"
    lines: tuple[Series, ...] = ()

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        if len(self.values) != len(self.rows) or any(
            len(row) != len(self.columns) for row in self.values
        ):
            raise ValueError(f"heat map {self.title!r}: values are not rows times columns")
        return self


class Test(Record):
    """One comparison that a claim rests on.

    Attributes:
        what: The effect that is measured, in words.
        estimate: Its mean.
        lower: Lower bound; all bounds of a finding hold at once.
        upper: Upper bound.
        at_least: What the claim says that it exceeds, ``None`` if nothing.
        at_most: What the claim says that it stays below, ``None`` if nothing.
        unit: What it is measured in.
        seeds: Independent repetitions [count].
        seeds_needed: About how many would decide it, ``None`` if it is decided [count].
    """

    __test__ = False  # pytest would take it for one of its own

    what: str
    estimate: float
    lower: float
    upper: float
    at_least: float | None
    at_most: float | None
    unit: str
    seeds: int
    seeds_needed: int | None

    @property
    def outcome(self) -> Outcome:
        """What it comes to: whether the interval lies where the claim says, outside, or across."""
        low = -inf if self.at_least is None else self.at_least
        high = inf if self.at_most is None else self.at_most
        if self.lower > low and self.upper < high:
            return Outcome.CONFIRMED
        if self.upper < low or self.lower > high:
            return Outcome.REFUTED
        return Outcome.UNDECIDED


class Claim(Record):
    """Something that is claimed, and what became of it.

    Attributes:
        text: The claim in a sentence.
        source: Who makes it, such as ``"paper, section 4 (a)"`` or ``"open question"``.
        outcome: ``confirmed`` if every test's interval lies where the claim says, ``refuted`` if
            that of one lies outside, else ``undecided``.
        because: What was seen, in a sentence with its numbers.
        tests: The comparisons it rests on.
    """

    text: str
    source: str
    outcome: Outcome
    because: str
    tests: tuple[Test, ...]


class Finding(Document):
    """What an experiment found.

    Attributes:
        name: The experiment's name on the command line, and its file's.
        title: What it is about.
        caption: What is shown and how to read it, for a reader who is not an expert.
        panels: The figure.
        claims: What was claimed, with verdicts.
        setting: What all runs have in common, field by field in words.
        level: Chance that any of the claims' intervals misses [fraction, 0..1].
        command: What makes this finding again.
        version: Of legatee.
        date: When it was finished, ISO 8601.
        device: Where it was computed.
        seconds: How long it took, wall clock [s].
        data: Where its raw results lie, relative to the page; empty if nowhere.
    """

    kind: ClassVar[str] = "a finding"

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    caption: str
    panels: tuple[Curves | Heatmap, ...]
    claims: tuple[Claim, ...]
    setting: dict[str, str]
    level: float
    command: str
    version: str
    date: str
    device: str
    seconds: float
    data: str
