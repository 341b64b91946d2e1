"""Which small changes of the package do its tests notice?

    python benchmarks/mutation.py [--number 300] [--seed 0] [--only surgery/plan advisor ...]
        [--function read] [--everywhere] [--longest 30] [--jobs 2] [--out FILE.json]

The sample is random; each mutant is a copy of the package with one change. Changes are made to
comparisons, arithmetic, `and`, `or`, `not`, signs, numbers, True and False, conditions (negated),
and strings that are used as keys or compared with. Statements that call, raise, continue, break,
delete or assign to an element are left out, as are keyword arguments; return values become None.
Imports, docstrings, annotations, types, `__all__`, messages (whatever is raised or warned,
f-strings, help texts), decorators of data classes, arguments such as `strict` and `encoding`, lines
with `# pragma` and the templates of the pages are not changed.

Each mutant is run against the tests of its wing (`tests/WING`, the wing's doctests, `tests/laws`)
that execute its line, the fastest first, until one fails, cannot be run, or takes more than five
times as long as usual plus half a minute (four minutes where compiled code must be compiled again):
then the mutant counts as killed. Code that runs on import, and compiled code, is run against the
tests that execute its file or a file that imports it, directly or not. Files at the top of the
package are run against `tests/test_*.py`; files without tests of their own, or all files with
--everywhere, against every test. A test that kills for the first time is also run on the unchanged
package, after the same tests as before, and is left out if it fails there as well. Tests that open
a browser or take longer than --longest are left out.

Read the survivors: either a test is missing, or the mutant is *equivalent*, which means that no
user of the package can tell the difference (a tolerance, a speed, a cache). Equivalent mutants were
not removed from the count, so the share killed is a lower bound. A line that only subprocesses
execute counts as not executed.

Results are kept in `legatee-bench/mutation`. The same command resumes after an interruption. A
killed mutant is not tried again while its file is unchanged, nor a survivor while the package and
the tests that it was run against are unchanged.
"""

import argparse
import gc
import json
import os
import shutil
import signal
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from hashlib import sha256
from importlib import import_module
from math import sqrt
from pathlib import Path

os.environ |= {"MPLBACKEND": "Agg"} | dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "HF_HUB_OFFLINE"), "1"
)
from mutant_runs import CHECKOUT, PACKAGE, clean, drive
from mutant_tests import Session, given, trial
from mutants import Mutant, mutants
from tables import show, where

HOME = CHECKOUT / "legatee-bench" / "mutation"
Kept = dict[str, object]


def sample(asked: argparse.Namespace, root: Path) -> tuple[list[tuple[Mutant, bytes]], int]:
    """Draw mutants, each with the same probability; return them and the number of all mutants."""
    every = []
    for file in sorted(Path(root, PACKAGE).rglob("*.py")):
        path = file.relative_to(root / PACKAGE).as_posix()
        prefixes = [f"{only.strip('/').removesuffix('.py')}" for only in asked.only or ()]
        below = any(f"{path.removesuffix('.py')}/".startswith(f"{one}/") for one in prefixes)
        if (below or not prefixes) and not path.startswith("report/templates/"):
            every += [(one, text) for text in [file.read_bytes()] for one in mutants(path, text)]
    if asked.function:
        every = [pair for pair in every if asked.function in pair[0].functions]
    every.sort(key=lambda pair: sha256(f"{asked.seed} {pair[0].key}".encode()).digest())
    drawn = (pair for pair in every if pair[0].says_something(pair[1]))
    return [pair for pair, _ in zip(drawn, range(asked.number), strict=False)], len(every)


def known(session: Session, drawn: list[tuple[Mutant, bytes]], file: Path) -> dict[str, Kept]:
    """Return results of an earlier run that still hold."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    earlier: dict[str, list[Kept]] = defaultdict(list)
    for line in lines:
        try:
            one = json.loads(line)
        except json.JSONDecodeError:  # killed while it was written
            continue
        earlier[one["key"]].append(one)
    kept = {}
    for mutant, text in drawn:
        now = given(session, mutant, text)
        for one in earlier[mutant.key]:
            if one["file"] == now["file"] and (
                one["outcome"] == "killed" or one["met"] == now["met"]
            ):
                kept[mutant.key] = one
    return kept


def prepared(names: Iterable[str]) -> None:
    """Import what tests will need, once; what cannot be imported alone they import themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            try:
                import_module(name)
            except Exception:
                continue
    import_module("torch").set_num_threads(1)
    gc.collect()
    gc.freeze()


def wilson(part: int, whole: int) -> str:
    """Return the Wilson interval of a share at 95 % [percent]."""
    if not whole:
        return ""
    share, z = part / whole, 1.959964
    middle = (share + z * z / (2 * whole)) / (1 + z * z / whole)
    half = z / (1 + z * z / whole) * sqrt(share * (1 - share) / whole + (z / (2 * whole)) ** 2)
    return f"{100 * share:.1f} ({100 * (middle - half):.1f} to {100 * (middle + half):.1f})"


def told(results: list[Kept]) -> None:
    """Print the table, then the survivors."""
    rows = []
    for wing in [*sorted({str(one["wing"]) for one in results}), "total"]:
        here = Counter(one["outcome"] for one in results if wing in {one["wing"], "total"})
        counts = here["killed"], here["survived"], here["not executed"]
        whole = sum(counts)
        rate = wilson(counts[0], whole) if wing == "total" else f"{100 * counts[0] / whole:.0f}"
        rows.append([wing, whole, *counts, rate])
    header = ["wing", "mutants", "killed", "survived", "not executed", "killed %"]
    show(f"Mutants ({where()})", header, rows)
    print()
    for one in sorted(results, key=lambda one: (one["outcome"], one["path"], one["line"])):
        if one["outcome"] != "killed":
            why = f" ({one['why']})" if one["why"] else ""
            place = f"{PACKAGE / one['path']}:{one['line']}"
            print(f"{place}: {one['operator']}, {one['outcome']}{why}")
            print(f"    - {one['before']}\n    + {one['after']}")


def tried(session: Session, drawn: list[tuple[Mutant, bytes]], jobs: int) -> Iterator[Kept]:
    """Yield what comes of each mutant; all but the first are cheap, for torch is imported once."""
    needed = sorted({folder for mutant, _ in drawn for folder in session.own(mutant.path)})
    prepared(["torch", "numba"])
    for _ in drive((session.learn(folder) for folder in needed), jobs):
        pass
    prepared(sorted({name for seen in session.seen.values() for name in seen.modules}))
    yield from drive((trial(session, *pair) for pair in drawn), jobs)


def arguments() -> argparse.Namespace:
    """Read what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--number", type=int, default=300, help="mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="files or folders below src/legatee")
    parser.add_argument("--function", help="only within functions of this name")
    parser.add_argument("--everywhere", action="store_true", help="tests of other wings too")
    parser.add_argument(
        "--longest", type=float, default=30.0, help="most a test may take [seconds]"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--out", type=Path, help="the results as JSON")
    return parser.parse_args()


def main() -> None:
    """Draw mutants, run the tests on them and print the results."""
    asked, began = arguments(), time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and what runs is ended with it
    for left in HOME.glob("mutant-*"):
        shutil.rmtree(left)
    session = Session(HOME, clean(HOME), asked.longest, asked.everywhere)
    drawn, whole = sample(asked, session.root)
    if not drawn:
        sys.exit("There are no mutants there; --only takes files or folders below src/legatee.")
    file = HOME / "results.jsonl"
    done = known(session, drawn, file)
    print(f"{len(drawn)} of {whole} mutants, seed {asked.seed}; {len(done)} known", file=sys.stderr)
    new = [pair for pair in drawn if pair[0].key not in done]
    with file.open("a", encoding="utf-8") as results:
        for number, one in enumerate(tried(session, new, asked.jobs) if new else (), start=1):
            done[one["key"]] = one
            results.write(json.dumps(one) + "\n")
            results.flush()
            place = f"{one['path']}:{one['line']} {one['operator']}"
            progress = f"{number}/{len(new)} {one['outcome']}, {one['seconds']} s: {place}"
            print(progress, one["by"], file=sys.stderr, flush=True)
    results = [done[mutant.key] for mutant, _ in drawn]
    told(results)
    late = sum(one["why"] == "took too long" for one in results)
    left = Counter(why for seen in session.seen.values() for why in seen.left.values())
    print(f"\nKilled by time: {late}. Tests left out of this run: {dict(left) or 'none'};", end=" ")
    print(f"{len(session.failing)} that fail on the unchanged package.")
    spent, took = sum(one["seconds"] for one in results), time.monotonic() - began
    print(f"{spent / len(results):.1f} s of one core for a mutant; this took {took:.0f} s.")
    if asked.out:
        asked.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # what was imported for the tests has nothing to say at the end


if __name__ == "__main__":
    main()
