"""From a matplotlib figure to inline SVG: the same bytes for the same numbers, on any page.

Text stays text and takes the page's font; what is drawn in ``INK`` takes the page's text colour
(``currentColor``), and each arm the CSS variable of its place (``--arm-0`` is scratch), so that a
figure suits a light and a dark page alike.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

ARM_COLOURS = 7  # --arm-0 is scratch; later arms share the other six in turn
INK = "#fe0000"  # stands in for currentColor while matplotlib draws
ARMS = [f"#fe00{n + 1:02x}" for n in range(ARM_COLOURS)]  # likewise for the arms' colours
PAPER = "#fe0080"  # likewise for what the page is made of: the rim of a line on a coloured map
PAINT = {INK: "currentColor", PAPER: "var(--paper)"}
PAINT |= {ink: f"var(--arm-{n})" for n, ink in enumerate(ARMS)}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "axes.edgecolor": INK,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,  # a name may hold dollar signs
}
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def arm_colour(place: int) -> int:
    """Return the colour, counted from 0, of the arm at this place; scratch keeps the first."""
    return 0 if place == 0 else (place - 1) % (ARM_COLOURS - 1) + 1


def arm_ink(place: int) -> str:
    """Return what stands in for an arm's colour while matplotlib draws."""
    return ARMS[arm_colour(place)]


def cut(name: str, length: int) -> str:
    """Return a name on one line of at most so many characters."""
    line = " ".join(name.split())
    return line if len(line) <= length else line[: length - 1] + "…"


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """Draw in the report's style, whatever the user's own, with identifiers from ``name``."""
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the page's font has it
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE | {"svg.hashsalt": name})
        yield


def to_svg(figure: Figure, name: str, words: str, *, below: str = "", above: str = "") -> str:
    """Return a figure as an ``<svg>`` element with ``words`` as its text for screen readers.

    ``below`` and ``above`` are elements drawn before and after all that matplotlib draws.
    """
    written = io.StringIO()
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    FigureCanvasSVG(figure).print_svg(written, metadata=NO_METADATA)
    _, _, drawn = written.getvalue().partition("</defs>")  # after matplotlib's page-wide style
    width, height = figure.get_size_inches() * 72
    return (
        f'<svg id="{name}" class="figure" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(words)}" style="stroke-linejoin: round">{below}'
        + re.sub(r"<[^>]+>", lambda tag: _at_home(tag[0], name), drawn).replace(
            "</svg>", f"{above}</svg>"
        )
    )


def _at_home(tag: str, name: str) -> str:
    """Return one tag, which never holds a user's text, with the page's colours and font."""
    tag = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{name}-", tag)
    tag = re.sub(r" font-family: [^;\"]*;?", "", tag)
    return re.sub(r"#fe00[0-9a-f]{2}", lambda ink: PAINT[ink[0]], tag)
