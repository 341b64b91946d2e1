"""The page of an experiment's findings: every claim with its verdict, and every figure."""

import os
from collections import Counter
from collections.abc import Sequence
from math import floor, isfinite, log10
from urllib.parse import quote

from markupsafe import Markup

from legatee.disk import write_text
from legatee.errors import LegateeError
from legatee.finding import Claim, Finding, Heatmap, Outcome, Test
from legatee.report.curves import draw_series
from legatee.report.heatmap import draw_heatmap
from legatee.report.page import templates
from legatee.text import number, plain

MOST_DECIMALS = 6  # a finer interval is written in powers of ten [count]


def render_findings(
    findings: Sequence[Finding], *, title: str, explorer: Markup | None = None
) -> str:
    """Return the page that shows what these experiments found.

    Args:
        findings: What to show, at least one, in the order of the page; names differ.
        title: The page's title.
        explorer: A fragment of HTML, with its own styles and scripts, shown at the end.

    Returns:
        A whole HTML document; the same findings give the same text.

    Raises:
        LegateeError: If there is no finding, or two have one name.
    """
    if not findings:
        raise LegateeError("a page needs at least one finding")
    name, times = Counter(finding.name for finding in findings).most_common(1)[0]
    if times > 1:
        raise LegateeError(f"{times} findings are named {name!r}; a page shows each once")
    counts = Counter(claim.outcome for finding in findings for claim in finding.claims)
    return (
        templates()
        .get_template("findings.html")
        .render(
            title=title,
            findings=[_view(finding, place) for place, finding in enumerate(findings, start=1)],
            totals=[(outcome.value, counts[outcome]) for outcome in Outcome],
            seconds=sum(finding.seconds for finding in findings),
            levels=_different([_sure(finding) for finding in findings]),
            versions=_different([finding.version for finding in findings]),
            devices=_different([finding.device for finding in findings]),
            explorer=explorer,
        )
    )


def write_findings(
    path: str | os.PathLike[str],
    findings: Sequence[Finding],
    *,
    title: str,
    explorer: Markup | None = None,
) -> None:
    """Write the page that shows what these experiments found, all or nothing.

    Each finding's JSON text is expected beside it, as ``NAME.json``.

    Args:
        path: The HTML file to write.
        findings: What to show, at least one, in the order of the page; names differ.
        title: The page's title.
        explorer: A fragment of HTML, with its own styles and scripts, shown at the end.

    Raises:
        LegateeError: If there is no finding, two have one name, or the file cannot be written.
    """
    write_text(path, render_findings(findings, title=title, explorer=explorer))


def _view(finding: Finding, place: int) -> dict[str, object]:
    """Return what the template shows of one finding."""
    panels = []
    for n, panel in enumerate(finding.panels, start=1):
        name = f"figure-{place}-{n}"
        if isinstance(panel, Heatmap):
            panels.append(draw_heatmap(panel, name=name))
        else:
            panels.append(draw_series(panel, name=name))
    return {
        "id": f"finding-{place}",
        "place": place,
        "finding": finding,
        "panels": panels,
        "claims": [_claim(claim) for claim in finding.claims],
        "sure": _sure(finding),
        "files": [quote(f"{finding.name}.json"), *([quote(finding.data)] if finding.data else [])],
    }


def _claim(claim: Claim) -> dict[str, object]:
    """Return what the template shows of one claim."""
    return {
        "claim": claim,
        "outcome": claim.outcome.value,
        "needed": _needed(claim) if claim.outcome is Outcome.UNDECIDED else "",
        "tests": [
            (test, test.outcome.value, _claimed(test), *_interval(test)) for test in claim.tests
        ],
    }


def _needed(claim: Claim) -> str:
    """Return what it would take to decide a claim."""
    needed = [test.seeds_needed for test in claim.tests if test.seeds_needed is not None]
    if not needed:
        return "How many seeds would decide it cannot be told from these."
    seeds = max(test.seeds for test in claim.tests)
    return f"About {max(needed):,} seeds would decide it; {seeds:,} were run."


def _claimed(test: Test) -> str:
    """Return what a claim says of one comparison."""
    bounds = (("more", test.at_least), ("less", test.at_most))
    return " and ".join(f"{word} than {plain(x)}" for word, x in bounds if x is not None)


def _interval(test: Test) -> tuple[str, str, str]:
    """Return the estimate and its bounds to the digits that the interval warrants."""
    half = (test.upper - test.lower) / 2
    decimals = 1 - floor(log10(half)) if isfinite(half) and half > 0 else MOST_DECIMALS + 1
    if decimals > MOST_DECIMALS:
        return plain(test.estimate), plain(test.lower), plain(test.upper)
    estimate, lower, upper = (
        number(value, max(decimals, 0)) for value in (test.estimate, test.lower, test.upper)
    )
    return estimate, lower, upper


def _sure(finding: Finding) -> str:
    """Return the chance that all intervals of a finding hold, in percent."""
    return plain(100 * (1 - finding.level))


def _different(texts: list[str]) -> list[str]:
    """Return each text once, in order."""
    return list(dict.fromkeys(texts))
