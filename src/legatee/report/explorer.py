"""The explorer: sliders, and what the theory predicts for them, computed in the reader's browser.

``templates/explorer/`` holds the theory's reduced model in JavaScript, file by file: ``table.js``,
``descent.js``, ``judge.js``, ``solve.js``, ``reduce.js`` and ``predict.js`` mirror the files of
those names in ``legatee/theory/``; ``setting.js`` mirrors ``legatee/setting.py``. Constants and the
table of normals are handed in, so nothing is written twice.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from markupsafe import Markup

from legatee.report.page import templates
from legatee.report.sliders import GROUPS, MAPS, Number, SliderGroup

POLICY = "script-src 'unsafe-inline'; worker-src blob:"
"""What a page that holds the explorer must allow in its content security policy."""
NETWORKS = (
    ("scratch", "From scratch"),
    ("zero_shot", "Inherited, before training"),
    ("inherited", "Inherited, trained"),
)


def explorer(
    normals: Mapping[str, np.ndarray],
    constants: Mapping[str, Number | Sequence[Number]],
    start: Mapping[str, Any],
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
    shapes = [(name, array.shape) for name, array in normals.items()]
    singles = [np.ascontiguousarray(array, "<f4").tobytes() for array in normals.values()]
    lines = [f"const {name} = {json.dumps(value)};" for name, value in constants.items()]
    part = templates().get_template("explorer/part.html")
    return Markup(
        part.render(
            groups=[_with_start(group, start) for group in GROUPS],
            maps=MAPS,
            networks=NETWORKS,
            data={"start": start, "maps": [asdict(one) for one in MAPS], "shapes": shapes},
            normals=b64encode(b"".join(singles)).decode(),
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
    page = templates().get_template("explorer/page.html")
    return page.render(part=part, title=title, policy=POLICY)


def _with_start(group: SliderGroup, start: Mapping[str, Any]) -> SliderGroup:
    """Return a group whose sliders can stop where they begin."""
    sliders = []
    for slider in group.sliders:
        stops = {*slider.stops, start[slider.name]}
        in_order = sorted(stops, key=lambda stop: -1 if stop is None else stop)
        sliders.append(replace(slider, stops=in_order))
    return replace(group, sliders=sliders)
