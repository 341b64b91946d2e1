"""The sliders of the explorer, and the maps over two of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

import numpy as np

Number = int | float
ALPHA = "\N{GREEK SMALL LETTER ALPHA}"


@dataclass(frozen=True, kw_only=True)
class Slider:
    """One number of a setting.

    Attributes:
        name: The field that it sets, by its dotted name.
        symbol: The paper's symbol.
        label: What it is, for a reader who has not read the paper.
        stops: Where it can stop, in order; ``None`` for a field that is left out.
        unit: What its number counts, nothing where that needs no word.
        about: Further explanation.
    """

    name: str
    symbol: str
    label: str
    stops: Sequence[Number | None]
    unit: str = ""
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class SliderGroup:
    """Sliders that belong together.

    Attributes:
        title: What they have in common.
        sliders: The sliders.
        folded: Whether they are hidden at first.
    """

    title: str
    sliders: Sequence[Slider]
    folded: bool = False


@dataclass(frozen=True, kw_only=True)
class MapAxis:
    """One axis of a map.

    Attributes:
        name: The field along it.
        label: Its label.
        values: Where the gain is computed, in order.
        ticks: Values that are written at the axis.
    """

    name: str
    label: str
    values: Sequence[Number]
    ticks: Sequence[Number]


@dataclass(frozen=True, kw_only=True)
class Map:
    """A map of the gain.

    Attributes:
        title: What the reader chooses it by.
        x: The axis to the right.
        y: The axis upwards.
    """

    title: str
    x: MapAxis
    y: MapAxis


def _even(low: float, high: float, steps: int) -> tuple[float, ...]:
    """Return evenly spaced values, without the noise of binary fractions."""
    return tuple(round(float(x), 10) for x in np.linspace(low, high, steps + 1))


def _decades(low: float, high: float, per_decade: int) -> tuple[float, ...]:
    """Return values at equal ratios, rounded to two digits."""
    steps = round(per_decade * log10(high / low))
    values = (low * 10 ** (k / per_decade) for k in range(steps + 1))
    return tuple(dict.fromkeys(round(x, 1 - floor(log10(x))) for x in values))


def _counts(low: int, high: int, per_decade: int) -> tuple[int, ...]:
    """Return whole numbers at equal ratios, rounded to two digits."""
    return tuple(round(x) for x in _decades(low, high, per_decade))


_SIGNAL, _NOISE = _even(0, 5, 100), _even(0.1, 3, 29)
_SAMPLES, _SIZES = _counts(10, 10_000, 20), _counts(100, 1_000_000, 24)
_FILTERS = (1, 2, 3, 4, 5, 6, 8, *range(10, 50, 2), *_counts(50, 1000, 10))
_RATES, _STEPS = _decades(0.001, 100, 10), (*range(1, 10), *_counts(10, 10_000, 10))

_SIGNALS = (
    Slider(
        name="u_norm",
        symbol="|u|",
        label="Universal signal, in both tasks",
        stops=_SIGNAL,
        about="At 0 the tasks have nothing in common.",
    ),
    Slider(
        name="upstream.v_norm",
        symbol="|v₁|",
        label="Signal of the upstream task alone",
        stops=_SIGNAL,
    ),
    Slider(
        name="downstream.v_norm",
        symbol="|v₂|",
        label="Signal of the downstream task alone",
        stops=_SIGNAL,
    ),
)
_DATA = (
    Slider(name="upstream.n", symbol="N₁", label="Upstream training samples", stops=_SAMPLES),
    Slider(name="downstream.n", symbol="N₂", label="Downstream training samples", stops=_SAMPLES),
    Slider(name="upstream.sigma_p", symbol="σ₁", label="Noise in upstream samples", stops=_NOISE),
    Slider(
        name="downstream.sigma_p",
        symbol="σ₂",
        label="Noise in downstream samples",
        stops=_NOISE,
        about="Standard deviation of each number, in the unit of the signals.",
    ),
    Slider(
        name="d",
        symbol="d",
        label="Size of a patch",
        stops=_SIZES,
        unit="numbers",
        about="A sample is a patch of signal and a patch of noise. The larger they are, the easier "
        "it is to memorise noise instead of learning the signal.",
    ),
)
_INHERITED = Slider(
    name="alpha",
    symbol=ALPHA,
    label="Share of the filters",
    stops=_even(0, 1, 20),
    about="These filters start as the upstream network's, all others at random.",
)
_TRAINING = (
    Slider(name="m", symbol="m", label="Filters of each sign", stops=_FILTERS),
    Slider(name="eta", symbol="η", label="Learning rate", stops=_RATES),
    Slider(name="steps", symbol="T", label="Steps of training", stops=_STEPS),
)
_WEIGHTS = Slider(
    name="sigma_0",
    symbol="σ₀",
    label="Size of weights before training",
    stops=_decades(1e-6, 1, 10),
)


def _own(task: str, index: str) -> SliderGroup:
    """Return the sliders by which a task's training can differ."""
    sliders = tuple(
        Slider(
            name=f"{task}.{one.name}",
            symbol=one.symbol + index,
            label=one.label,
            stops=(None, *one.stops),
        )
        for one in _TRAINING
    )
    return SliderGroup(title=f"Otherwise in the {task} task", sliders=sliders, folded=True)


GROUPS = (
    SliderGroup(title="What there is to learn", sliders=_SIGNALS),
    SliderGroup(title="The data", sliders=_DATA),
    SliderGroup(title="What is inherited", sliders=(_INHERITED,)),
    SliderGroup(title="Both tasks", sliders=(*_TRAINING, _WEIGHTS), folded=True),
    _own("upstream", "₁"),
    _own("downstream", "₂"),
)
"""Every slider, in the order of the page."""

MAPS = (
    Map(
        title="universal signal and size",
        x=MapAxis(
            name="u_norm",
            label="universal signal |u| →",
            values=_even(0, 5, 20),
            ticks=(0, 1, 2, 3, 4, 5),
        ),
        y=MapAxis(
            name="d",
            label="↑ size of a patch d",
            values=_counts(100, 1_000_000, 3),
            ticks=(100, 1000, 10_000, 100_000, 1_000_000),
        ),
    ),
    Map(
        title="upstream samples and share inherited",
        x=MapAxis(
            name="upstream.n",
            label="upstream samples N₁ →",
            values=_counts(10, 10_000, 5),
            ticks=(10, 100, 1000, 10_000),
        ),
        y=MapAxis(
            name="alpha",
            label=f"↑ share inherited {ALPHA}",
            values=_even(0.05, 1, 19),
            ticks=(0.2, 0.4, 0.6, 0.8, 1),
        ),
    ),
)
"""Maps to choose from; their values are stops of their sliders."""
