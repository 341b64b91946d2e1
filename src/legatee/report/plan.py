"""The page of a transfer plan: what would be inherited from where, as a picture."""

from importlib.metadata import version

from legatee.plans.plan import TransferPlan
from legatee.report.page import templates
from legatee.report.plan_flow import THICK, blocks
from legatee.report.plan_tree import picture

NAME = 18  # last characters of a block's name that are shown beside the lines [count]


def render_plan(plan: TransferPlan, *, command: str = "") -> str:
    """Return the page that shows a transfer plan.

    Args:
        plan: What to show.
        command: The command that made the plan, if there was one.

    Returns:
        A whole HTML document; the same plan gives the same text.

    Example:
        >>> import legatee
        >>> sizes = {"num_classes": 5, "input_shape": (1, 8, 8)}
        >>> large, small = (legatee.build(f"cnn:widths={n}", **sizes) for n in (8, 6))
        >>> page = render_plan(legatee.plan(large, small))
        >>> "What Cnn would inherit from Cnn" in page
        True
    """
    source, target = plan.source or "the source", plan.target or "the target"
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
