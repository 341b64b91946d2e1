"""The demo under ten seeds: is its verdict ever wrong, and how often undecided?

Run it with `make bench`; it takes about half an hour on two cores and can be interrupted.
"""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from legatee.experiments.demo import CASES, run

SEEDS = range(10)


def main(folder: Path) -> None:
    """Print a row for each seed and case, and what they come to."""
    table = Table("seed", "case", "verdict", "expected", "best", "scratch", "all", "gain of all")
    wrong = undecided = 0
    for seed in SEEDS:
        found = run(folder / f"seed-{seed}", seed=seed)
        for case in CASES:
            advice = found[case.title]
            scratch, everything = advice.arm("scratch"), advice.arm("all")
            gain = everything.gain
            assert gain is not None
            undecided += advice.verdict == "undecided"
            wrong += advice.verdict not in ("undecided", case.expected)
            table.add_row(
                str(seed),
                case.title,
                advice.verdict.value,
                case.expected,
                advice.best or "",
                f"{scratch.score:.3f}",
                f"{everything.score:.3f}",
                f"{gain.estimate:+.3f} [{gain.lower:+.3f}, {gain.upper:+.3f}]",
            )
            print(f"seed {seed} {case.title}: {advice}", file=sys.stderr, flush=True)
    Console(width=110).print(table)
    print(f"{wrong} wrong, {undecided} undecided, of {len(SEEDS) * len(CASES)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("legatee-demo-seeds"))
