"""The page of a transfer plan: what would be inherited from where, for who would rather look."""

from importlib.metadata import version

from legatee.plans.plan import TransferPlan
from legatee.report.page import templates
from legatee.report.plan_flow import THICK, blocks
from legatee.report.plan_tree import picture

NAME = 18  # characters of a block's name that stand beside the lines, from its end [count]


def render_plan(plan: TransferPlan, *, source: str, target: str, command: str = "") -> str:
    """Return the page that shows a transfer plan.

    Args:
        plan: What to show.
        source: What the reader calls the network inherited from.
        target: What the reader calls the network that inherits.
        command: What was typed to make the plan, if anything was.

    Returns:
        A whole HTML document; the same plan gives the same text.

    Example:
        >>> import legatee
        >>> sizes = {"classes": 5, "shape": (1, 8, 8)}
        >>> large, small = (legatee.build(f"cnn:widths={n}", **sizes) for n in (8, 6))
        >>> page = render_plan(legatee.plan(large, small), source="large", target="small")
        >>> "What small would inherit from large" in page
        True
    """
    page = templates().get_template("plan.html")
    return page.render(
        title=f"What {target} would inherit from {source}",
        plan=plan,
        source=source,
        target=target,
        command=command,
        version=version("legatee"),
        parts=picture(plan),
        drawing=blocks(plan),
        thick=THICK,
        label=lambda name: name if len(name) <= NAME else f"…{name[1 - NAME :]}",
    )
