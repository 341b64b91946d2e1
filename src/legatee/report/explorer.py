"""The explorer: sliders, and what the theory predicts for them, computed in the reader's browser.

``templates/explorer/`` holds the theory's reduced model in JavaScript, file by file: ``table.js``,
``descent.js``, ``judge.js``, ``solve.js``, ``reduce.js`` and ``predict.js`` mirror the files of
those names in ``legatee/theory/``; ``setting.js`` mirrors ``legatee/setting.py``. Constants and the
table of normals are handed in, so nothing is written twice.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import floor, log10

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

Number = int | float
Fields = Mapping[str, Number | str | None]
POLICY = "script-src 'unsafe-inline'; worker-src blob:"
"""What a page that holds the explorer must allow in its content security policy."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """One slider.

    Attributes:
        name: The field of a setting that it sets, by its dotted name.
        symbol: The paper's symbol.
        label: What it is, for a reader who has not read the paper.
        stops: Where it can stop, in order; ``None`` for a field that is left out.
        unit: What its number counts, nothing where that needs no word.
        about: What else there is to say.
    """

    name: str
    symbol: str
    label: str
    stops: Sequence[Number | None]
    unit: str = ""
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Sliders that belong together.

    Attributes:
        title: What they have in common.
        controls: The sliders.
        folded: Whether they are out of sight at first.
    """

    title: str
    controls: Sequence[Control]
    folded: bool = False


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis of a map.

    Attributes:
        name: The field along it.
        label: What it says.
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
    x: Axis
    y: Axis


def _even(low: float, high: float, steps: int) -> tuple[float, ...]:
    """Return evenly spaced stops, without the noise of binary fractions."""
    return tuple(round(float(x), 10) for x in np.linspace(low, high, steps + 1))


def _decades(low: float, high: float, per_decade: int, *, whole: bool = False) -> tuple:
    """Return stops at equal ratios, rounded to two digits."""
    steps = round(per_decade * log10(high / low))
    values = low * 10 ** (np.arange(steps + 1) / per_decade)
    digits = [1 - floor(log10(x)) for x in values]
    rounded = [round(float(x), d) for x, d in zip(values, digits, strict=True)]
    return tuple(dict.fromkeys(round(x) if whole else x for x in rounded))


_SIGNAL = _even(0, 5, 50)
_COUNT = _decades(10, 10_000, 20, whole=True)
_NOISE = _even(0.1, 3, 29)
_FILTERS = (1, 2, 3, 4, 5, 6, 8, *range(10, 50, 2), *_decades(50, 1000, 10, whole=True))
_RATES = _decades(0.001, 100, 10)
_STEPS = _decades(1, 10_000, 10, whole=True)
GROUPS = (
    Group(
        title="What there is to learn",
        controls=(
            Control(
                name="u_norm",
                symbol="|u|",
                label="Signal that both tasks share",
                stops=_SIGNAL,
                about="At 0 the tasks have nothing in common.",
            ),
            Control(
                name="upstream.v_norm",
                symbol="|v₁|",
                label="Signal of the upstream task alone",
                stops=_SIGNAL,
            ),
            Control(
                name="downstream.v_norm",
                symbol="|v₂|",
                label="Signal of the downstream task alone",
                stops=_SIGNAL,
            ),
        ),
    ),
    Group(
        title="The data",
        controls=(
            Control(
                name="upstream.n",
                symbol="N₁",
                label="Upstream training samples",
                stops=_COUNT,
            ),
            Control(
                name="downstream.n",
                symbol="N₂",
                label="Downstream training samples",
                stops=_COUNT,
            ),
            Control(
                name="upstream.sigma_p",
                symbol="σ₁",
                label="Noise in upstream samples",
                stops=_NOISE,
            ),
            Control(
                name="downstream.sigma_p",
                symbol="σ₂",
                label="Noise in downstream samples",
                stops=_NOISE,
                about="Standard deviation of each number, in the unit of the signals.",
            ),
            Control(
                name="d",
                symbol="d",
                label="Size of the signal, and of the noise",
                stops=_decades(100, 1_000_000, 20, whole=True),
                unit="numbers",
                about="The more numbers, the more noise there is to memorise.",
            ),
        ),
    ),
    Group(
        title="What is inherited",
        controls=(
            Control(
                name="alpha",
                symbol="α",
                label="Share of the filters",
                stops=_even(0, 1, 20),
                about="Those filters start as the upstream network's, the others at random.",
            ),
        ),
    ),
    Group(
        title="Both tasks",
        folded=True,
        controls=(
            Control(name="m", symbol="m", label="Filters of each sign", stops=_FILTERS),
            Control(name="eta", symbol="η", label="Learning rate", stops=_RATES),
            Control(name="steps", symbol="T", label="Steps of training", stops=_STEPS),
            Control(
                name="sigma_0",
                symbol="σ₀",
                label="Size of weights before training",
                stops=_decades(1e-6, 1, 10),
            ),
        ),
    ),
    *(
        Group(
            title=f"Otherwise in the {task} task",
            folded=True,
            controls=(
                Control(
                    name=f"{task}.m",
                    symbol=f"m{k}",
                    label="Filters of each sign",
                    stops=(None, *_FILTERS),
                ),
                Control(
                    name=f"{task}.eta",
                    symbol=f"η{k}",
                    label="Learning rate",
                    stops=(None, *_RATES),
                ),
                Control(
                    name=f"{task}.steps",
                    symbol=f"T{k}",
                    label="Steps of training",
                    stops=(None, *_STEPS),
                ),
            ),
        )
        for task, k in (("upstream", "₁"), ("downstream", "₂"))
    ),
)
MAPS = (
    Map(
        title="shared signal and size",
        x=Axis(
            name="u_norm",
            label="shared signal |u| →",
            values=_even(0, 5, 25),
            ticks=(0, 1, 2, 3, 4, 5),
        ),
        y=Axis(
            name="d",
            label="↑ size d",
            values=_decades(100, 1_000_000, 4, whole=True),
            ticks=(100, 1000, 10_000, 100_000, 1_000_000),
        ),
    ),
    Map(
        title="upstream samples and share inherited",
        x=Axis(
            name="upstream.n",
            label="upstream samples N₁ →",
            values=_decades(10, 10_000, 8, whole=True),
            ticks=(10, 100, 1000, 10_000),
        ),
        y=Axis(
            name="alpha",
            label="↑ share inherited α",
            values=_even(0.05, 1, 19),
            ticks=(0.2, 0.4, 0.6, 0.8, 1),
        ),
    ),
)
NETWORKS = (
    ("scratch", "From scratch"),
    ("zero_shot", "Inherited, before training"),
    ("inherited", "Inherited, trained"),
)


def explorer(
    normals: Mapping[str, np.ndarray],
    constants: Mapping[str, Number | Sequence[Number]],
    start: Fields,
) -> Markup:
    """Return the explorer, for a page to hold once.

    The page must allow :data:`POLICY`, and have the report's style.

    Args:
        normals: The table that the theory draws from, float32 arrays by name.
        constants: What the theory's constants are, by the names that the JavaScript uses.
        start: Where the sliders begin, a value for each field of a setting by its dotted name;
            the setting that ``legatee predict`` starts from.

    Returns:
        A ``<section>`` with its style and scripts, about 1.5 MB; it asks for no other file.
    """
    groups = [_with_start(group, start) for group in GROUPS]
    shapes = [(name, array.shape) for name, array in normals.items()]
    bytes_ = b"".join(np.ascontiguousarray(a, "<f4").tobytes() for a in normals.values())
    lines = (f"const {name} = {json.dumps(value)};" for name, value in constants.items())
    return Markup(
        _templates()
        .get_template("explorer/part.html")
        .render(
            groups=groups,
            maps=MAPS,
            networks=NETWORKS,
            data={"start": start, "maps": [asdict(one) for one in MAPS], "shapes": shapes},
            normals=b64encode(bytes_).decode(),
            constants=Markup("\n".join(lines)),
        )
    )


def alone(part: Markup, *, title: str) -> str:
    """Return a page with nothing but the explorer.

    Args:
        part: What :func:`explorer` returned.
        title: The page's title.

    Returns:
        A whole HTML document.
    """
    page = _templates().get_template("explorer/page.html")
    return page.render(part=part, title=title, policy=POLICY)


def _templates() -> Environment:
    """Return the templates, which escape whatever is not markup by type."""
    return Environment(
        loader=PackageLoader("legatee.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _with_start(group: Group, start: Fields) -> dict[str, object]:
    """Return a group whose sliders can stop where they begin."""
    controls = []
    for control in group.controls:
        own = start[control.name]
        stops = list(control.stops)
        if own not in stops:
            stops = sorted([*stops, own], key=lambda stop: -1 if stop is None else stop)
        controls.append({**asdict(control), "stops": stops})
    return {"title": group.title, "folded": group.folded, "controls": controls}
