"""The explorer: its page from the theory's table and constants, and an initial setting."""

from markupsafe import Markup

from legatee.report import explorer as report
from legatee.theory import consequences, growth, predict
from legatee.theory.reduced import accuracy, reduce, table
from legatee.world.setting import EXAMPLE, fields

TITLE = "Should this network inherit?"
CONSTANTS = {  # names that the JavaScript shares with Python, by module
    table: (
        *("FILTERS", "SAMPLES", "SAMPLES_COUNTED", "FEW", "UPSTREAM", "FEWEST", "MOST"),
        *("EXACT_STEPS", "GROWTH"),
    ),
    accuracy: ("JITTER", "TINY"),
    reduce: ("FEWEST_SAMPLES", "SLOWEST", "FASTEST", "SMALL", "LARGE", "BY_CHANCE", "FARTHEST"),
    growth: ("NEWTON_STEPS",),
    predict: ("TOLERANCE", "NEGLIGIBLE"),
    consequences: ("ENOUGH", "MOST_SAMPLES", "ALPHAS"),
}


def part() -> Markup:
    """Return the explorer of ``legatee predict``, for a page to hold once.

    Returns:
        What :func:`legatee.report.explorer.explorer` makes of the theory's own numbers.
    """
    constants = {
        name: getattr(module, name) for module, names in CONSTANTS.items() for name in names
    }
    constants["TINY_ROOM"] = reduce.TINY  # accuracy has a TINY too
    return report.explorer(table.fixed_normals()._asdict(), constants, fields(EXAMPLE))


def page() -> str:
    """Return the explorer as a page of its own.

    Returns:
        A whole HTML document that asks for no other file.
    """
    return report.alone(part(), title=TITLE)
