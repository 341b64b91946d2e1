"""Advice as the advisor gives it, for pages: made by hand, never trained."""

import numpy as np
import xarray as xr

from legatee.advice import Advice, ArmResult, OpenQuestion, Provenance, Reason, Verdict
from legatee.intervals import Interval
from legatee.plans.options import PlanOptions
from legatee.plans.plan import Move, TransferPlan, Untouched
from legatee.report.page import Case

HOSTILE = '<script>document.title="owned"</script>"\'>&${{7*7}}<img src=x onerror=alert(1)>'
BATCH_NORM = {"weight": "scale", "bias": "shift", "running_mean": "mean", "running_var": "var"}


def resnet_plan(alpha: float = 0.5) -> TransferPlan:
    """A small residual network that inherits a share of each channel group, but no head."""
    moves, width = [], (3, 16, 16, 32, 32, 64, 64)
    names = ["conv1", *(f"layer{s}.0.conv{c}" for s in (1, 2, 3) for c in (1, 2))]
    for name, before, after in zip(names, (3, *width[1:]), (*width[1:], 64), strict=True):
        kept, taken = round(alpha * after), before if before == 3 else round(alpha * before)
        shape = (after, before, 3, 3)
        source = f"{name}.weight" if name != "conv1" else "stem.conv.weight"
        box = (f"0:{kept}", f"0:{taken}", "0:3", "0:3")
        moves.append(move(f"{name}.weight", source, shape, box))
        norm = name.replace("conv", "bn")
        moves += [move(f"{norm}.{t}", f"{norm}.{t}", (after,), (f"0:{kept}",)) for t in BATCH_NORM]
    return TransferPlan(
        source_digest="s",
        target_digest="t",
        options=PlanOptions(alpha=alpha, rule="magnitude"),
        entries=(
            *moves,
            Untouched(target="fc.weight", shape=(10, 64), reason="the head: other classes"),
            Untouched(target="fc.bias", shape=(10,), reason="the head: other classes"),
            Untouched(target="bn1.num_batches_tracked", shape=(), reason="a counter"),
        ),
        warnings=("layer3.0.conv2 is narrower in the source than in the target",),
    )


def move(target: str, source: str, shape: tuple[int, ...], box: tuple[str, ...]) -> Move:
    return Move(
        source=source, target=target, source_shape=shape, target_shape=shape, take=box, put=box
    )


def an_advice(verdict: Verdict, scores, gains, *, names=("scratch", "half", "all"), **changes):
    """An advice with these arms; ``gains`` are (estimate, lower, upper) of all but scratch."""
    alphas = (0.0, 0.5, 1.0, 0.25, 0.75)
    arms = tuple(
        ArmResult(
            name=name,
            method=(
                {"kind": "inherit", "options": {"alpha": alpha, "rule": "magnitude"}}
                if alpha
                else {"kind": "scratch"}
            ),
            inherited_fraction=0.97 * alpha,
            score=score,
            score_error=abs(score) * 0.012,
            gain=None if gain is None else Interval(estimate=gain[0], lower=gain[1], upper=gain[2]),
            seconds=61.0 + 10 * alpha,
        )
        for name, alpha, score, gain in zip(names, alphas, scores, (None, *gains), strict=False)
    )
    best = max(arms[1:], key=lambda arm: arm.gain.estimate, default=arms[0]).name
    fields = {
        "verdict": verdict,
        "best": best if verdict is Verdict.INHERIT else None,
        "arms": arms,
        "reasons": (
            Reason(code="lower-bound", text=f"The lower bound of the gain of {best} was compared."),
            Reason(code="same-seeds", text="Every arm saw the same batches in the same order."),
        ),
        "not_checked": (
            OpenQuestion(code="other-procedures", text="Other learning rates than 0.05."),
            OpenQuestion(code="other-populations", text="Robustness to a shift of the data."),
        ),
        "margin": 0.01,
        "error_rate": 0.05,
        "seeds": (0, 1, 2, 3, 4, 5),
        "n_train": 200,
        "n_held_out": 1597,
        "plan": resnet_plan() if verdict is Verdict.INHERIT else None,
        "provenance": Provenance(
            version="0.1.0",
            command="legatee advise source.safetensors --data digits --model resnet-tiny --seeds 6",
            date="2026-02-03T04:05:06+00:00",
            device="cpu (2 cores)",
            source="a residual network trained on digits 0 to 4",
            target="the same network with ten classes",
            data="hand-written digits 5 to 9, 8 by 8 pixels",
            procedure={"epochs": "20", "learning_rate": "0.003"},
        ),
    }
    return Advice(**(fields | changes))


def some_runs(advice: Advice, epochs: int = 20, every: int = 4) -> xr.Dataset:
    """Runs that agree with an advice; held-out scores are recorded at every few epochs only."""
    draw = np.random.default_rng(7)
    names, seeds = [arm.name for arm in advice.arms], list(advice.seeds)
    means = np.array([arm.score for arm in advice.arms])
    spread = np.abs(means)[:, None, None] * 0.02 * draw.standard_normal((len(names), len(seeds), 1))
    unit = bool(((means >= 0) & (means <= 1)).all())
    score = np.repeat(means[:, None, None] + spread, 40, axis=2)
    epoch = np.arange(1, epochs + 1)
    rate = 0.1 + 0.1 * np.arange(len(names))[:, None, None]
    noise = draw.normal(0, 0.04, (len(names), len(seeds), epochs))
    held_out = score[:, :, :1] * (1 - np.exp(-rate * 2 * epoch)) + noise * 0.2
    recorded = np.where(epoch % every == 0, held_out.clip(0, 1) if unit else held_out, np.nan)
    by_epoch = ("arm", "seed", "epoch")
    return xr.Dataset(
        {
            "score": (("arm", "seed", "item"), np.float32(score.clip(0, 1) if unit else score)),
            "train_loss": (by_epoch, 2.3 * np.exp(-rate * epoch) + 0.05 + np.abs(noise)),
            "held_out_score": (by_epoch, recorded),
            "seconds": (("arm", "seed"), np.full((len(names), len(seeds)), 11.0)),
        },
        coords={"arm": names, "seed": seeds, "epoch": epoch},
    )


def every_case() -> dict[str, Case]:
    """One case of every kind that a page must be able to show."""
    gains = [(0.102, 0.051, 0.153), (0.062, 0.011, 0.113)]
    inherit = an_advice(Verdict.INHERIT, (0.712, 0.814, 0.774), gains)
    losses = [(-0.004, -0.031, 0.007), (-0.041, -0.073, -0.009)]
    scratch = an_advice(Verdict.SCRATCH, (0.912, 0.908, 0.871), losses, margin=0.02)
    wide = [(0.013, -0.02, 0.046), (0.009, -0.05, 0.068)]
    undecided = an_advice(
        Verdict.UNDECIDED,
        (0.6, 0.613, 0.609),
        wide,
        margin=0.0,
        seeds_needed=14,
        train_counts={"dog": 120, "cat": 80},
    )
    large = [(1.5, -0.25, 3.25), (4.125, 2.5, 5.75)]
    plain = an_advice(Verdict.INHERIT, (23.0, 24.5, 27.125), large, margin=0.5)
    names = ("scratch", HOSTILE, "学习 _$x^2$", "a" * 60, "_hidden")
    many = [*gains, (0.01, -0.02, 0.04), (float("nan"),) * 3]
    hostile = an_advice(
        Verdict.INHERIT,
        (0.7, 0.762, 0.802, 0.71, float("nan")),
        many,
        names=names,
        best=HOSTILE,
        reasons=(Reason(code=HOSTILE, text=HOSTILE),),
        not_checked=(OpenQuestion(code="hostile", text=HOSTILE),),
        plan=resnet_plan(),
        provenance=Provenance(
            version=HOSTILE,
            command="x" * 300,
            date=HOSTILE,
            device=HOSTILE,
            source=HOSTILE,
            target=HOSTILE,
            data="C:\\" + "y" * 200,
        ),
    )
    return {
        "inherit": Case(
            title="Digits, from a related task", advice=inherit, runs=some_runs(inherit)
        ),
        "scratch": Case(title="Digits, from noise", advice=scratch, runs=some_runs(scratch, 60, 1)),
        "undecided": Case(title="No runs kept", advice=undecided),
        "untried": Case(title="Nothing fits", advice=an_advice(Verdict.SCRATCH, (0.7,), [])),
        "plain": Case(title="Plain scores", advice=plain, runs=some_runs(plain, epochs=0)),
        "hostile": Case(title=HOSTILE, advice=hostile, runs=some_runs(hostile, 6, 7)),
    }
