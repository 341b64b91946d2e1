"""Findings as experiments hand them in, for pages: made by hand, never computed."""

from math import inf, nan

import numpy as np
from report_cases import HOSTILE

from legatee.finding import Axis, Claim, Curves, Finding, Heatmap, Outcome, Series, Test

GAIN = Axis(label="gain over scratch (points of test accuracy)")
ACCURACY = Axis(label="test accuracy (%)")
UNIVERSAL = Axis(label="strength of the universal signal, |u|")
DIMENSION = Axis(label="patch dimension d", log=True)


def a_test(what="gain of the inherited run at |u| = 2", estimate=7.42, half=1.31, **changes):
    fields = {
        "what": what,
        "estimate": estimate,
        "lower": estimate - half,
        "upper": estimate + half,
        "at_least": 0.0,
        "at_most": None,
        "unit": "points",
        "seeds": 40,
        "seeds_needed": None,
    }
    return Test(**(fields | changes))


def a_claim(outcome, text, because, *tests, source="paper, section 4 (b)"):
    return Claim(text=text, source=source, outcome=outcome, because=because, tests=tests)


def a_finding(name, title, panels, claims, **changes):
    fields = {
        "name": name,
        "title": title,
        "caption": (
            "Each point is the average over 40 networks trained alike but for chance. The vertical "
            "bars are so wide that all of them together hold the true averages with a chance of "
            "95 %. Above the thin line, inheriting helps; below it, starting from scratch would "
            "have been better."
        ),
        "panels": panels,
        "claims": claims,
        "setting": {
            "filters per sign, m": "20",
            "upstream task": "1,000 samples, |v1| = 3, noise level 1",
            "downstream task": "40 samples, |v2| = 2, noise level 1",
            "steps, T": "400",
        },
        "level": 0.05,
        "command": f"legatee reproduce {name} --quick",
        "version": "0.1.0",
        "date": "2026-02-03T04:05:06+00:00",
        "device": "cpu (2 cores)",
        "seconds": 34.2,
        "data": f"data/{name}.zarr",
    }
    return Finding(**(fields | changes))


def a_course():
    """Curves over a logarithmic axis with error bands, theory dashed, one value missing."""
    draw, steps = np.random.default_rng(3), np.unique(np.geomspace(1, 400, 30).round())
    series = []
    for colour, n in enumerate((100, 200, 500, 1000)):
        top = 60 + 12 * np.log10(n)
        rise = 50 + (top - 50) * (1 - np.exp(-steps / 40))
        measured = rise + draw.normal(0, 0.4, steps.size)
        measured[5] = nan if n == 200 else measured[5]
        near = dict(x=tuple(steps), colour=colour)
        series += [
            Series(
                name=f"{n:,} upstream samples", y=tuple(measured), error=(1.5,) * len(steps), **near
            ),
            Series(name=f"theory for {n:,}", y=tuple(rise + 0.5), kind="theory", **near),
        ]
    return Curves(
        title="Test accuracy while the downstream network trains",
        x=Axis(label="training steps", log=True),
        y=ACCURACY,
        series=tuple(series),
    )


def upstream_samples():
    """Two panels, the second with error bars at few places."""
    sizes = (100.0, 200.0, 500.0, 1000.0)
    ends = Series(
        name="inherited run, last step",
        x=sizes,
        y=(84.1, 87.5, 92.2, 96.1),
        error=(1.2, 1.0, 0.9, 0.6),
    )
    law = Series(name="theory", x=sizes, y=(84.0, 87.6, 92.4, 96.0), kind="theory")
    scratch = Series(name="scratch run", x=sizes, y=(81.0,) * 4, error=(1.0,) * 4, colour=1)
    last = Curves(
        title="Test accuracy at the end",
        x=Axis(label="upstream samples N1", log=True),
        y=ACCURACY,
        series=(ends, law, scratch),
    )
    claims = (
        a_claim(
            Outcome.CONFIRMED,
            "The more samples the upstream network has seen, the better the downstream network.",
            "Accuracy rises from 84.1 % with 100 upstream samples to 96.1 % with 1,000; each step "
            "up is at least 1.9 points.",
            a_test("200 upstream samples instead of 100", 3.4, 1.5),
            a_test("500 instead of 200", 4.7, 1.3),
            a_test("1,000 instead of 500", 3.9, 1.1),
            source="paper, section 4 (a)",
        ),
    )
    return a_finding(
        "upstream_samples", "More upstream samples, better inheritance", (a_course(), last), claims
    )


def universal_signal():
    """One panel of gains around a level, refuted and undecided claims."""
    x = (0.0, 0.5, 1.0, 1.5, 2.0)
    gain = Series(
        name="gain, measured", x=x, y=(0.4, 0.9, 2.2, 5.1, 7.4), error=(0.8, 0.8, 0.9, 1.2, 1.3)
    )
    law = Series(name="gain, theory", x=x, y=(0.1, 0.7, 2.6, 5.0, 7.1), kind="theory")
    panel = Curves(
        title="Gain as the universal signal grows", x=UNIVERSAL, y=GAIN, series=(gain, law), level=0
    )
    claims = (
        a_claim(
            Outcome.REFUTED,
            "Without a universal signal, inheriting does worse than starting from scratch by a "
            "point or more.",
            "At |u| = 0 inheriting changes accuracy by +0.4 points, at least -0.4 and at most 1.2.",
            a_test("loss by inheriting at |u| = 0", -0.4, 0.8, at_least=1.0),
        ),
        a_claim(
            Outcome.UNDECIDED,
            "A weak universal signal already helps.",
            "At |u| = 0.5 the gain is 0.9 points, at least 0.1 and at most 1.7; claimed is half a "
            "point.",
            a_test("gain at |u| = 0.5", 0.9, 0.8, at_least=0.5, seeds_needed=160),
            source="our question",
        ),
    )
    return a_finding("universal_signal", "What both tasks share", (panel,), claims, seconds=212.0)


def a_map(scale="diverging", side=40, **changes):
    """Gains of a boundary that is nearly the predicted one, with a hole where runs diverged."""
    u, d = np.linspace(0, 4, side), np.geomspace(100, 100_000, side)
    edge = 0.4 * (d / 100) ** 0.25
    steep = (u[None] - edge[:, None]) * 4
    values = {
        "diverging": 9 * np.tanh(steep) * np.exp(-u[None] / 4) + 3,
        "sequential": 75 + 25 * np.tanh(steep),
        "cut": (steep > 0.3) * 1.0,
    }[scale]
    values[-3:, :2] = nan
    lines = (
        Series(name="measured boundary", x=tuple(edge + 0.15), y=tuple(d)),
        Series(name="predicted boundary", x=tuple(edge), y=tuple(d), kind="theory"),
    )
    titles = {
        "diverging": "Gain over scratch",
        "sequential": "Test accuracy of the inherited run",
        "cut": "The same, cut in two",
    }
    labels = {
        "diverging": GAIN.label,
        "sequential": ACCURACY.label,
        "cut": "test accuracy at least 90 %",
    }
    fields = {
        "title": titles[scale],
        "x": UNIVERSAL,
        "y": DIMENSION,
        "columns": tuple(u),
        "rows": tuple(d),
        "values": tuple(map(tuple, values)),
        "label": labels[scale],
        "scale": scale,
        "lines": lines,
    }
    return Heatmap(**(fields | changes))


def phase_diagram():
    """Large maps of every kind, and a small one that fits a table."""
    small = a_map("diverging", 5, title="Gain over scratch, coarse", lines=())
    claims = (
        a_claim(
            Outcome.CONFIRMED,
            "A sharp boundary parts settings where inheriting is near-optimal from those where it "
            "is not.",
            "Accuracy crosses from 60 % to 95 % within 0.3 units of |u|, at most 0.4.",
            a_test("steepness of the boundary", 0.31, 0.04, unit="units of |u|"),
            source="paper, section 4 (d)",
        ),
        a_claim(
            Outcome.UNDECIDED,
            "In high dimension inheriting hurts.",
            "No cell has a gain whose interval lies below zero; the widest is 14 points.",
            a_test("gain at d = 100,000", -1.0, inf, seeds_needed=None),
            source="a summary of the paper",
        ),
    )
    maps = (a_map("sequential"), a_map("cut"), a_map("diverging"), small)
    return a_finding(
        "phase_diagram",
        "Where inheriting helps: a map of the strength of the universal signal and the dimension",
        maps,
        claims,
        data="",
        seconds=280.4,
    )


def gamma_collapse():
    """Scatter on logarithmic axes with zeros, long names, values that are not finite."""
    draw = np.random.default_rng(5)
    gamma = draw.lognormal(0, 2, 150)
    error = 0.5 / (1 + gamma) * draw.uniform(0.8, 1.2, gamma.size)
    error[:3] = 0.0, nan, inf
    dense = np.geomspace(gamma.min(), gamma.max(), 200)
    panel = Curves(
        title="Test errors of 150 settings against the paper's scalar Γ",
        x=Axis(label="Γ = N1 |u|⁴ / (s1² s2² d), what the paper says decides", log=True),
        y=Axis(label="test error, a share of the samples that no network has seen", log=True),
        series=(
            Series(
                name="settings that differ in everything: |u|, |v1|, |v2|, N1, N2, d and m",
                x=tuple(gamma),
                y=tuple(error),
                kind="scatter",
                colour=2,
            ),
            Series(
                name="theory: a single curve, if Γ alone decides",
                x=tuple(dense),
                y=tuple(0.5 / (1 + dense)),
                kind="theory",
                colour=2,
            ),
        ),
    )
    against = panel.model_copy(update={"title": "The same against scratch's own scalar"})
    claims = (
        a_claim(
            Outcome.CONFIRMED,
            "Γ orders settings by their test error.",
            "Rank correlation 0.93, at least 0.91.",
            a_test("rank correlation", 0.931, 0.021, unit="", at_least=0.5),
            source="open question",
        ),
    )
    return a_finding(
        "gamma_collapse", "Does one number decide?", (panel, against, panel), claims, setting={}
    )


def hostile():
    """Whatever a file may hold: markup, dollar signs, nothing at all."""
    empty = Series(name="$x^2$ _", x=(), y=())
    nothing = Curves(
        title="nothing", x=Axis(label="", log=True), y=Axis(label=HOSTILE), series=(empty,), level=0
    )
    unknown = Heatmap(
        title=HOSTILE,
        x=Axis(label=HOSTILE * 2),
        y=Axis(label="y" * 90, log=True),
        columns=(0.0,),
        rows=(0.0, 1.0, 10.0),
        values=((nan,), (nan,), (nan,)),
        label=HOSTILE,
    )
    same = unknown.model_copy(update={"values": ((7.0,), (7.0,), (7.0,)), "scale": "diverging"})
    claim = a_claim(Outcome.REFUTED, HOSTILE, HOSTILE, a_test(HOSTILE, 1e-9, 1e-10, unit=HOSTILE))
    return a_finding(
        "hostile",
        HOSTILE,
        (nothing, unknown, same),
        (claim,),
        caption="x" * 300,
        command="y" * 300,
        setting={HOSTILE: HOSTILE, "z" * 90: "w" * 200},
        device=HOSTILE,
        data="javascript:alert(1)//" + HOSTILE,
    )


def every_finding():
    """One finding of every kind that a page must be able to show."""
    return [upstream_samples(), universal_signal(), phase_diagram(), gamma_collapse(), hostile()]


def heavy():
    """As many as a full reproduction has, larger than any of them."""
    made = []
    for n in range(18):
        panels = [*upstream_samples().panels, *gamma_collapse().panels[:1]]
        if n % 6 == 0:
            panels = list(phase_diagram().panels)
        finding = universal_signal()
        made.append(finding.model_copy(update={"name": f"experiment_{n}", "panels": tuple(panels)}))
    return made
