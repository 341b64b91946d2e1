"""Where mutants live, and processes that run chosen tests on them.

A copy of the checkout is kept clean; a mutant is a tree of links to it with one file of its own, so
subprocesses of tests see it too. A run is a fork of a process that has torch imported, but nothing
of the package.
"""

import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

import hypothesis
import pytest

CHECKOUT = Path(__file__).parents[1]
PACKAGE = Path("src", "legatee")
FOLDERS = ("src", "tests", "docs", "benchmarks")
SLOWER, PATIENCE = 5, 30.0  # a test may take so many times what it took, and so many seconds more
COMPILING = 240.0  # or so many, where all that is compiled is compiled anew
EARLY = "ignore::pytest.PytestAssertRewriteWarning"  # plugins are imported before pytest asks
HOW = ("-q", "-pno:cacheprovider", "-pno:xdist", "--hypothesis-profile=quick", f"-W{EARLY}")


class Plugin(Protocol):
    """What chooses among collected tests, runs them, and writes to `out` what came of it."""

    out: Path

    def run(self, files: Iterable[str]) -> None:
        """Run tests of files within this process."""


@dataclass(frozen=True)
class Run:
    """Tests to be run in a process of their own.

    Attributes:
        root: The tree to run them in.
        files: What pytest is asked to collect.
        plugin: What runs them.
        prepare: What is done first, in the same process.
    """

    root: Path
    files: tuple[str, ...]
    plugin: Plugin
    prepare: Callable[[], object] = lambda: None


Trial = Generator[Run, tuple[dict, float], object]  # is sent what a run wrote, and its [seconds]


class Chosen:
    """Runs some tests in the given order, each within its time, and notes the first that fails."""

    def __init__(
        self, seconds: dict[str, float], known: Iterable[str], patience: float = PATIENCE
    ) -> None:
        """Note what to run.

        Args:
            seconds: What each test took, in the order they shall be run in [seconds].
            known: All tests there were before anything was changed.
            patience: What each may take beyond `SLOWER` times that [seconds].
        """
        self.patience = patience
        self.seconds, self.known, self.said = seconds, frozenset(known), {"ran": 0}
        self.order = {name: place for place, name in enumerate(seconds)}
        self.stems = {name.partition("[")[0] for name in seconds}
        self.out = Path("result.json")

    def place(self, item: pytest.Item) -> int | None:
        """Return when a test's turn is; tests that have other parameters now come last."""
        if item.nodeid in self.seconds:
            return self.order[item.nodeid]
        stem = item.nodeid.partition("[")[0]
        return len(self.order) if item.nodeid not in self.known and stem in self.stems else None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests that were chosen, in their order."""
        kept = [(place, item) for item in items if (place := self.place(item)) is not None]
        items[:] = [item for _, item in sorted(kept, key=lambda pair: pair[0])]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say which test begins, and end this process where it takes too long."""
        self.said |= {"ran": self.said["ran"] + 1, "by": nodeid}
        self.write()
        limit = SLOWER * self.seconds.get(nodeid, 0.0) + self.patience
        signal.setitimer(signal.ITIMER_REAL, limit)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure."""
        self.failed(report, report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what cannot even be collected."""
        self.failed(report, report.nodeid)

    def failed(self, report: pytest.CollectReport | pytest.TestReport, name: str) -> None:
        """Note the first failure."""
        if report.failed and "why" not in self.said:
            lines = [line for line in report.longreprtext.splitlines() if line.startswith("E ")]
            why = lines[0] if lines else (report.longreprtext.splitlines() or ["failed"])[-1]
            self.said |= {"by": name, "why": why.removeprefix("E").strip()[:200]}

    def write(self) -> None:
        """Write what is known so far."""
        self.out.write_text(json.dumps(self.said), encoding="utf-8")

    def run(self, files: Iterable[str]) -> None:
        """Run the tests within this process, and write what came of them."""
        signal.setitimer(signal.ITIMER_REAL, 2 * self.patience)  # importing may never end either
        code = pytest.main(["-x", *HOW, *files], plugins=[self])
        self.said["code"] = int(code)
        self.write()


def clean(home: Path) -> Path:
    """Lay a copy of the checkout, or renew it where it has changed; return where it is."""
    root, wanted = home / "clean", set[Path]()
    root.mkdir(parents=True, exist_ok=True)
    inside = [path for folder in FOLDERS for path in (CHECKOUT / folder).rglob("*")]
    for path in [*CHECKOUT.iterdir(), *inside]:
        if path.is_file() and path.name != ".git" and "__pycache__" not in path.parts:
            own = root / path.relative_to(CHECKOUT)
            wanted.add(own)
            if not own.exists() or own.read_bytes() != path.read_bytes():
                own.parent.mkdir(parents=True, exist_ok=True)
                own.unlink(missing_ok=True)  # mutants may still hold the old one
                shutil.copy2(path, own)
    for own in root.rglob("*"):
        if own.is_file() and "__pycache__" not in own.parts and own not in wanted:
            own.unlink()
    return root


def lay(root: Path, source: Path, path: str, text: bytes, compiled: bool) -> None:
    """Lay a tree of links to a clean one with a file of its own, of which no cache is kept.

    Args:
        root: Where to.
        source: The clean tree.
        path: The file that is another, below the package.
        text: What stands in it.
        compiled: Whether compiled code of others may hold what it was.
    """
    changed = PACKAGE / path
    for folder, _, names in os.walk(source):
        here = Path(folder).relative_to(source)
        (root / here).mkdir(parents=True, exist_ok=True)
        cached = here == changed.parent / "__pycache__"
        for name in names:
            stale = cached and name.startswith(changed.stem + ".")
            stale |= compiled and name.endswith((".nbi", ".nbc"))
            if not stale and here / name != changed:
                os.link(Path(folder, name), root / here / name)
    (root / changed).write_bytes(text)


def fork(run: Run) -> int:
    """Run tests in a process of their own; return its number."""
    if pid := os.fork():
        return pid
    try:
        os.setsid()  # what tests start is ended with them
        run.prepare()
        os.chdir(run.root)
        run.plugin.out = outcome(run, os.getpid())
        log = os.open(run.plugin.out.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for old, new in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(old, new)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.modules["__main__"] = ModuleType("__main__")  # processes of tests would import it
        sys.path[0] = os.environ["PYTHONPATH"] = str(run.root / "src")
        phases = hypothesis.Phase.explicit, hypothesis.Phase.generate
        hypothesis.settings.register_profile(
            "quick", phases=phases, database=None, derandomize=True
        )
        run.plugin.run(run.files)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def outcome(run: Run, pid: int) -> Path:
    """Return where a run writes what came of it; what it prints is beside it."""
    return run.root.parent / f"{pid}.json"


def result(run: Run, pid: int, status: int) -> dict:
    """Return what a run wrote before it ended, and a reason if it did not end by itself."""
    file = outcome(run, pid)
    log = file.with_suffix(".log")
    said = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"ran": 0}
    if os.WIFSIGNALED(status):
        late = os.WTERMSIG(status) == signal.SIGALRM
        said |= {"code": -1, "why": "took too long" if late else f"signal {os.WTERMSIG(status)}"}
    if "code" not in said:
        said |= {"code": -1, "why": "it ended by itself"}
    said["log"] = log.read_text(errors="replace")[-2000:] if log.exists() else ""
    file.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    return said


def drive(trials: Iterable[Trial], jobs: int) -> Iterator[object]:
    """Advance several trials at once: each asks for runs, and is told what came of them.

    Args:
        trials: Generators of runs.
        jobs: How many runs at once.

    Yields:
        What each trial returns, as they end.
    """
    waiting, running, done = iter(trials), dict[int, tuple[Trial, Run]](), list[object]()

    def advance(trial: Trial, said: tuple[dict, float] | None) -> None:
        try:
            run = trial.send(said)
        except StopIteration as stop:
            done.append(stop.value)
        else:
            running[fork(run)] = trial, run

    try:
        while True:
            while len(running) < jobs and (new := next(waiting, None)) is not None:
                advance(new, None)
            yield from done
            done.clear()
            if not running:
                return
            pid, status, used = os.wait4(-1, 0)
            if pid in running:
                trial, run = running.pop(pid)
                end(pid)  # what its tests left behind
                advance(trial, (result(run, pid, status), used.ru_utime + used.ru_stime))
    finally:
        for pid in running:
            end(pid)


def end(pid: int) -> None:
    """End a run and what its tests have started."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
