"""Is the simulator exact? On the same draws to rounding, and in law, against the naive program.

Run it with `make bench-exactness`; about ten minutes on one core.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from scipy.stats import ks_2samp
from tables import show, where

from legatee import Setting, Task, simulate

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import reference
from laws.same_draws import CASES, largest_differences

RUNS = ("upstream", "scratch", "inherited")
SEEDS = 200
LEVEL = 0.01  # of all comparisons together
LAWS = {  # d, m, N1, N2, alpha
    "d = 50": (50, 4, 30, 20, 0.5),
    "d = 400": (400, 10, 60, 20, 1.0),
    "d = 2,000": (2000, 10, 50, 20, 0.3),
    "d = 8,000": (8000, 6, 40, 20, 0.5),
    "d = 20,000": (20000, 5, 30, 10, 0.6),
}


def setting_of(d: int, m: int, first: int, second: int, alpha: float) -> Setting:
    """Return a setting with accuracies in the middle, where laws are told apart best."""
    strength = (d / second) ** 0.25
    return Setting(
        d=d,
        m=m,
        u_norm=0.6 * strength,
        upstream=Task(n=first, v_norm=0.7 * strength, sigma_p=0.9),
        downstream=Task(n=second, v_norm=0.4 * strength, sigma_p=1.1),
        alpha=alpha,
        eta=20 * m * second / d,
        sigma_0=1e-3 / d**0.5,
        steps=50,
    )


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    print(where())
    rows = [
        (name, *(f"{x:.0e}" for x in largest_differences(setting)))
        for name, setting in CASES.items()
    ]
    show(
        "Same draws, float64: largest relative difference over 200 steps",
        (
            "setting",
            "weights up",
            "losses",
            "weights scratch",
            "losses",
            "weights inherited",
            "losses",
        ),
        rows,
    )
    rows = []
    for name, sizes in LAWS.items():
        setting = setting_of(*sizes)
        # As many test samples as the simulator's draws stand for: estimates have the same law.
        slow = [reference.run(setting, seed, 2000) for seed in range(SEEDS)]
        fast = simulate(setting, SEEDS, test_draws=500)["test_accuracy"].isel(setting=0)
        for run, step in (("upstream", -1), ("scratch", -1), ("inherited", 0), ("inherited", -1)):
            key = "zero_shot" if (run, step) == ("inherited", 0) else run
            ours, theirs = fast.sel(run=run).isel(step=step).values, [s[key] for s in slow]
            error = np.sqrt(np.var(ours, ddof=1) / SEEDS + np.var(theirs, ddof=1) / SEEDS)
            rows.append(
                (
                    name,
                    key,
                    f"{np.mean(theirs):.4f}",
                    f"{np.mean(ours):.4f}",
                    f"{(np.mean(ours) - np.mean(theirs)) / error:+.1f}",
                    f"{ks_2samp(ours, theirs).pvalue:.3f}",
                )
            )
    show(
        f"In law: test accuracy over {SEEDS} seeds",
        ("setting", "network", "naive", "simulator", "difference / its error", "KS p"),
        rows,
    )
    least = min(float(row[-1]) for row in rows)
    bound = LEVEL / len(rows)
    verdict = "the same" if least > bound else "NOT the same"
    print(
        f"\nLeast p {least} of {len(rows)} comparisons; at level {LEVEL} for all of them together"
    )
    print(f"({bound:.5f} each) the laws are {verdict}.")


if __name__ == "__main__":
    main()
