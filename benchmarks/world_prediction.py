"""How well does `predict` predict what `simulate` simulates?

Run it with `make bench-prediction`; about three hours on two cores. What was simulated is
kept in the folder given (default `legatee-bench`), and the same command goes on from there.
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import xarray as xr
from tables import show, where
from world_laws import kappa_of, settings, with_kappa

from legatee import Prediction, Setting, predict, simulate
from legatee.progress import track
from legatee.results import Layout, Store, Variable
from legatee.theory.bounds import inheriting_helps, inheriting_hurts
from legatee.theory.closed import inherited_accuracy, scratch_accuracy, zero_shot_accuracy
from legatee.theory.quantities import growth_rate

NETWORKS = ("scratch", "zero_shot", "inherited")
PRECISE = 0.002  # standard error of a simulated accuracy that ends a simulation [fraction]
FEWEST, MOST, AT_ONCE = 128, 512, 64  # seeds [count]
BIG = 0.01  # a gain whose sign must be right [fraction]


def measure(number: int, setting: Setting) -> dict[str, np.ndarray]:
    """Simulate until all three accuracies are known well enough; seeds are the setting's own."""
    found: list[np.ndarray] = []
    noise: list[np.ndarray] = []
    while True:
        first = 1000 * number + AT_ONCE * len(found)
        data = simulate(setting, range(first, first + AT_ONCE), test_draws=2000).isel(setting=0)
        pick = [
            data.sel(run=run).isel(step=step)
            for run, step in (("scratch", -1), ("inherited", 0), ("inherited", -1))
        ]
        found.append(np.stack([one["test_accuracy"].values for one in pick], 1))
        noise.append(np.stack([one["test_accuracy_error"].values for one in pick], 1) ** 2)
        every = np.concatenate(found)
        error = every.std(0, ddof=1) / np.sqrt(len(every))
        if len(every) >= MOST or (len(every) >= FEWEST and error.max() < PRECISE):
            spread = np.sqrt(np.maximum(every.var(0, ddof=1) - np.concatenate(noise).mean(0), 0))
            gain = every[:, 2] - every[:, 0]
            return {
                "accuracy": every.mean(0),
                "error": error,
                "spread": spread,
                "gain_error": np.array(gain.std(ddof=1) / np.sqrt(len(gain))),
            }


def simulated(
    folder: Path, name: str, chosen: list[Setting], numbers: list[int] | None = None
) -> xr.Dataset:
    """Return what was measured of every setting, going on with what is there.

    Args:
        folder: Where it is kept.
        name: Of this store.
        chosen: The settings.
        numbers: One for each, which its seeds follow from; its place in the list if ``None``.

    Returns:
        ``accuracy``, ``error`` and ``spread [setting, network]``, ``gain_error [setting]``.
    """
    numbers = numbers or list(range(len(chosen)))
    of_network = {"dims": ("setting", "network"), "dtype": "float64", "units": "fraction"}
    layout = Layout(
        coords={"setting": list(range(len(chosen))), "network": list(NETWORKS)},
        variables={
            "accuracy": Variable(about="mean test accuracy", **of_network),
            "error": Variable(about="its standard error", **of_network),
            "spread": Variable(about="standard deviation over seeds", **of_network),
            "gain_error": Variable(
                dims=("setting",), dtype="float64", units="fraction", about="of the mean gain"
            ),
        },
        block={"setting": 1},
        identity={"settings": [setting.to_json() for setting in chosen], "precise": PRECISE},
    )
    store = Store(folder / f"{name}.zarr", layout)
    left = sorted(store.pending(), key=lambda unit: -_cost(chosen[unit["setting"]]))
    with ProcessPoolExecutor(2, get_context("spawn")) as pool, track(len(left), name) as advance:
        waiting = {
            pool.submit(measure, numbers[u["setting"]], chosen[u["setting"]]): u for u in left
        }
        for done in as_completed(waiting):
            store.write(waiting[done], done.result())
            advance()
    return store.load()


def _cost(setting: Setting) -> float:
    """Return about how long a seed takes, so that the longest come first."""
    return sum(task.n**2 * task.m * task.steps for task in setting.resolved)


def compare(chosen: list[Setting], truth: xr.Dataset) -> None:
    """Print how far predictions are from simulations, by halves and decades."""
    predict(chosen[0])
    began = time.perf_counter()
    predictions = predict(chosen)
    each = (time.perf_counter() - began) / len(chosen)
    made = np.array([[getattr(p, network) for network in NETWORKS] for p in predictions])
    error = 100 * (made - truth["accuracy"].values)
    noise = 100 * np.sqrt(2 / np.pi) * truth["error"].values
    number, kappas = np.arange(len(chosen)), np.array([kappa_of(s) for s in chosen])
    alphas, weak = np.array([s.alpha for s in chosen]), number % 5 < 2
    report = number >= len(chosen) // 2
    groups = {
        "tuning half": ~report,
        "**report half**": report,
        "report, kappa 0.1 to 1": report & (kappas < 1),
        "report, kappa 1 to 10": report & (kappas >= 1),
        "report, weak universal signal": report & weak,
        "report, alpha below 0.8": report & (alphas < 0.8),
        "report, alpha 0.9": report & (alphas == 0.9),
        "report, alpha 1": report & (alphas == 1),
    }
    rows = []
    for name, which in groups.items():
        cells = [
            f"{np.abs(error[which, k]).mean():.2f} / {np.abs(error[which, k]).max():.1f}"
            f" ({noise[which, k].mean():.2f})"
            for k in range(3)
        ]
        rows.append((name, which.sum(), *cells))
    show(
        "Accuracy: mean / largest error in points (of which the simulation's own noise)",
        ("settings", "number", *NETWORKS),
        rows,
    )
    gain = truth["accuracy"].values[:, 2] - truth["accuracy"].values[:, 0]
    right = np.sign(made[:, 2] - made[:, 0]) == np.sign(gain)
    rows = []
    for name, half in (("tuning half", ~report), ("**report half**", report)):
        big = half & (np.abs(gain) > BIG)
        bad = big & (gain < 0)
        rows.append(
            (name, f"{right[big].sum()} of {big.sum()}", f"{right[bad].sum()} of {bad.sum()}")
        )
    show(
        "Sign of the gain where it exceeds a point", ("settings", "right", "of negative ones"), rows
    )
    _spreads(predictions, truth, report)
    _proposition(chosen, gain)
    print(f"\n`predict`: {1e3 * each:.1f} ms a setting, one core, {len(chosen)} settings.")


def _spreads(predictions: list[Prediction], truth: xr.Dataset, report: np.ndarray) -> None:
    """Print how far predicted spreads are from simulated ones."""
    rows = []
    for k, network in enumerate(NETWORKS):
        made = np.array([getattr(p, f"{network}_spread") for p in predictions])
        real = truth["spread"].values[:, k]
        which = report & (real > 0.001)
        ratio = made[which] / real[which]
        low, middle, high = np.quantile(ratio, [0.1, 0.5, 0.9])
        rows.append(
            (
                network,
                f"{made[which].mean() / real[which].mean():.2f}",
                f"{middle:.2f}",
                f"{low:.2f} to {high:.2f}",
                f"{(np.abs(ratio - 1) < 0.25).mean():.0%}",
            )
        )
    show(
        "Spread over seeds, report half: predicted / simulated",
        ("network", "of the means", "median", "10 % to 90 %", "within 25 %"),
        rows,
    )


def _proposition(chosen: list[Setting], gain: np.ndarray) -> None:
    """Print what Proposition 4.4 says of the sign of the gain."""
    big = np.abs(gain) > BIG
    rows = []
    for name, claim, sign in (
        ("4.4 (1): inheriting helps", inheriting_helps, 1),
        ("4.4 (2): inheriting hurts", inheriting_hurts, -1),
    ):
        said = np.array([claim(setting).beyond for setting in chosen]) & big
        true = said & (np.sign(gain) == sign)
        rows.append((name, said.sum(), true.sum(), (big & (np.sign(gain) == sign)).sum()))
    show(
        "Proposition 4.4 with constants 1, where the gain exceeds a point",
        ("claim", "claimed of", "true of these", "true of all"),
        rows,
    )


def closed_forms(folder: Path) -> None:
    """Print how far the closed forms are, over the growth rate of the faster task."""
    kappas, bases = (1, 10, 30, 100), [s for s in settings() if s.alpha < 0.75][:30]
    chosen = [with_kappa(base, kappa) for kappa in kappas for base in bases]
    truth = 100 * simulated(folder, "closed", chosen)["accuracy"].values
    forms = (scratch_accuracy, zero_shot_accuracy, inherited_accuracy)
    made = 100 * np.array([[form(setting) for form in forms] for setting in chosen])
    # A closed form holds where the task that it is about is the fast one.
    slow = np.array([[_slowest(s, k) for k in ((1,), (0,), (0, 1))] for s in chosen])
    rows = []
    for i, kappa in enumerate(kappas):
        span = slice(i * len(bases), (i + 1) * len(bases))
        cells = []
        for k in range(3):
            which = slow[span, k] > kappa / 3
            error = (made - truth)[span, k][which]
            cells.append(f"{np.abs(error).mean():.1f} / {np.abs(error).max():.1f} ({which.sum()})")
        rows.append((kappa, *cells))
    show(
        "Closed forms, alpha below 3/4: mean / largest error in points (settings whose own kappa "
        "is at least a third of it)",
        ("kappa", *NETWORKS),
        rows,
    )


def _slowest(setting: Setting, tasks: tuple[int, ...]) -> float:
    """Return the least growth rate of some tasks."""
    return min(growth_rate(setting, setting.resolved[k]) for k in tasks)


def alpha_curve(folder: Path) -> None:
    """Print the gain over alpha for weak, medium and strong universal signal."""
    base = settings()[0]
    base = replace(base, d=4000, sigma_0=1e-6, steps=200)
    task = replace(base.upstream, n=400, sigma_p=1.0, v_norm=1.8)
    signal, alphas = 0.7 * np.sqrt(4000 / 40), np.linspace(0, 1, 11)
    curves = {"|u| = 0": 0.0, "a fifth": 0.2, "four fifths": 0.8}
    chosen = []
    for share in curves.values():
        one = replace(
            base,
            u_norm=float(np.sqrt(share * signal)),
            upstream=task,
            downstream=replace(
                base.downstream, n=40, sigma_p=1.0, v_norm=float(np.sqrt((1 - share) * signal))
            ),
        )
        one = replace(one, eta=base.eta * 3 / kappa_of(replace(one, eta=base.eta)))
        chosen += [replace(one, alpha=round(float(alpha), 2)) for alpha in alphas]
    truth = simulated(folder, "alpha", chosen)
    gains = 100 * (
        truth["accuracy"].sel(network="inherited") - truth["accuracy"].sel(network="scratch")
    )
    errors = 100 * truth["gain_error"].values
    made = [100 * prediction.gain for prediction in predict(chosen)]
    rows = []
    for k, name in enumerate(curves):
        span = slice(k * len(alphas), (k + 1) * len(alphas))
        rows.append((f"{name}: predicted", *(f"{x:+.1f}" for x in made[span])))
        pairs = zip(gains.values[span], errors[span], strict=True)
        rows.append((f"{name}: simulated", *(f"{x:+.1f} ± {e:.1f}" for x, e in pairs)))
    show(
        "Gain in points over alpha, by the universal share of the downstream signal",
        ("share of |u|^2", *(f"{alpha:g}" for alpha in alphas)),
        rows,
    )


def weak_signals(folder: Path) -> None:
    """Print whether negative transfer is worst at intermediate alpha, over random settings."""
    alphas = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
    bases = [s for i, s in enumerate(settings()) if i % 5 < 2][:40]
    chosen = [replace(base, alpha=alpha) for base in bases for alpha in alphas]
    truth = simulated(folder, "weak", chosen)
    shape = (len(bases), len(alphas))
    gains = truth["accuracy"].sel(network="inherited") - truth["accuracy"].sel(network="scratch")
    real = 100 * gains.values.reshape(shape)
    made = 100 * np.array([prediction.gain for prediction in predict(chosen)]).reshape(shape)
    rows = []
    for name, values in (("predicted", made), ("simulated", real)):
        cells = [
            f"{x.mean():+.1f} ± {x.std(ddof=1) / np.sqrt(len(x)):.1f}, {(x < -0.5).mean():.0%}"
            for x in values.T
        ]
        rows.append((name, *cells))
    show(
        f"{len(bases)} settings with |u|^2 at most 5 % of |s_2|^2: mean gain in points, share that "
        "lose more than half a point",
        ("", *(f"alpha {alpha:g}" for alpha in alphas)),
        rows,
    )
    paired = real[:, -1] - real[:, 1:4].mean(1)
    least, error = (
        (real.argmin(1) == len(alphas) - 1).sum(),
        paired.std(ddof=1) / len(paired) ** 0.5,
    )
    print(f"\nSimulated: the least gain is at alpha 1 in {least} of {len(bases)} settings;")
    print(f"alpha 1 beats the mean of 0.3 to 0.7 by {paired.mean():.1f} ± {error:.1f} points.")


def selected(folder: Path, truth: xr.Dataset) -> None:
    """Print what selecting filters gains over inheriting random ones, at the same alpha."""
    every = settings()
    numbers = [i for i, setting in enumerate(every) if setting.alpha < 1][:200]
    chosen = [replace(every[i], inherit="selected") for i in numbers]
    others = simulated(folder, "selected", chosen, numbers)["accuracy"].values
    randoms = truth["accuracy"].values[numbers]
    gains = [100 * (accuracy[:, 2] - accuracy[:, 0]) for accuracy in (randoms, others)]
    weak = np.array(numbers) % 5 < 2
    lost = gains[0] < -0.5
    rows = []
    for name, which in (
        ("all", np.ones(len(numbers), bool)),
        ("weak universal signal", weak),
        ("random loses more than half a point", lost),
    ):
        better = (gains[1] - gains[0])[which]
        rows.append(
            (
                name,
                which.sum(),
                f"{gains[0][which].mean():+.2f}",
                f"{gains[1][which].mean():+.2f}",
                f"**{better.mean():+.2f} ± {better.std(ddof=1) / np.sqrt(len(better)):.2f}**",
                f"{(gains[0][which] < -0.5).sum()}, {(gains[1][which] < -0.5).sum()}",
            )
        )
    show(
        "Selected against random filters at the same alpha: gain over scratch in points",
        ("settings", "number", "random", "selected", "difference", "lose > 0.5: random, selected"),
        rows,
    )


def main(folder: Path) -> None:
    """Print every table."""
    print(where())
    chosen = settings()
    truth = simulated(folder, "random", chosen)
    compare(chosen, truth)
    closed_forms(folder)
    alpha_curve(folder)
    weak_signals(folder)
    selected(folder, truth)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("legatee-bench"))
