"""Which test executes which line of the package, and how long it takes.

What a shared fixture or a remembered function executes counts for every test that uses it,
whichever came first. Subprocesses are not seen, and of compiled code only where it is.
"""

import functools
import json
import pkgutil
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import FunctionType

import pytest
from mutant_runs import HOW, PACKAGE

IMPORTED = ""  # who executes what is executed on import
BROWSER = "browser"  # the fixture of tests that open one


class Lines:
    """Notes, while tests run, what each executes and uses."""

    def __init__(self) -> None:
        self.out = Path("result.json")
        self.inside, self.since = [IMPORTED], time.perf_counter()
        self.seconds, self.uses = Counter[str](), defaultdict[str, set[str]](set)
        self.left: dict[str, str] = {}
        self.root = Path()
        self.tests: list[str] = []

    @contextmanager
    def within(self, name: str) -> Iterator[None]:
        """Note what is executed as a name's, and that the name around it uses this one."""
        self.switch([*self.inside, name])
        try:
            yield
        finally:
            self.switch(self.inside[:-1])

    def switch(self, inside: list[str]) -> None:
        """Go from one name to another."""
        now = time.perf_counter()
        self.seconds[self.inside[-1]] += now - self.since
        self.inside = inside
        self.coverage.switch_context(inside[-1])
        self.since = time.perf_counter()

    def remembering(self, decorate: Callable) -> Callable:
        """Return functools.cache, or lru_cache, that notes who asks for what is remembered."""

        def decorated(*given: object, **options: object) -> object:
            if len(given) != 1 or not isinstance(given[0], FunctionType):
                return lambda function: self.remembered(decorate(*given, **options), function)
            return self.remembered(decorate, given[0])

        return decorated

    def remembered(self, decorate: Callable, function: FunctionType) -> Callable:
        """Remember a function's results; one of this tree notes who asks."""
        code = getattr(function, "__code__", None)  # what others wrote may be compiled
        if code is None or not Path(code.co_filename).is_relative_to(self.root):
            return decorate(function)
        name = f"remembered {function.__module__}.{function.__qualname__}"

        @functools.wraps(function)
        def noted(*given: object, **options: object) -> object:
            with self.within(name) if here() else nullcontext():
                return function(*given, **options)

        kept = decorate(noted)

        @functools.wraps(function)
        def asked(*given: object, **options: object) -> object:
            if here():
                self.uses[self.inside[-1]].add(name)
            return kept(*given, **options)

        asked.cache_clear, asked.cache_info = kept.cache_clear, kept.cache_info
        return asked

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what opens a browser, and import the whole package before any test does."""
        for item in items:
            if BROWSER in getattr(item, "fixturenames", ()):
                self.left[item.nodeid] = "opens a browser"
        items[:] = [item for item in items if item.nodeid not in self.left]
        package = import_module(PACKAGE.name)
        for module in pkgutil.walk_packages(package.__path__, f"{PACKAGE.name}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Note what a test executes, and what it may use without asking."""
        self.tests.append(item.nodeid)
        known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
        for fixtures in known.values():
            self.uses[item.nodeid] |= {shared(one) for one in fixtures if one.scope != "function"}
        with self.within(item.nodeid):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef) -> Iterator[None]:
        """Note what a shared fixture executes."""
        with self.within(shared(fixturedef)) if fixturedef.scope != "function" else nullcontext():
            return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what does not pass as it is."""
        if not report.passed:
            self.left[report.nodeid] = "skipped" if report.skipped else "fails as it is"

    def run(self, files: Iterable[str]) -> None:
        """Run all tests of files within this process, and write what was seen."""
        import coverage

        self.root = Path.cwd()
        before, package = set(sys.modules), str(self.root / PACKAGE)
        functools.cache = self.remembering(functools.cache)
        functools.lru_cache = self.remembering(functools.lru_cache)
        self.coverage = coverage.Coverage(
            data_file=None, config_file=False, include=[f"{package}/*"]
        )
        self.coverage.start()
        code = pytest.main([*HOW, *files], plugins=[self])
        self.coverage.stop()
        data = self.coverage.get_data()
        lines: dict[str, dict[str, list[int]]] = defaultdict(dict)
        for file in data.measured_files():
            for line, names in data.contexts_by_lineno(file).items():
                for name in names:
                    lines[name].setdefault(str(Path(file).relative_to(package)), []).append(line)
        said = {"code": int(code), "ran": len(self.tests), "tests": self.tests, "left": self.left}
        said |= {"lines": lines, "seconds": self.seconds, "modules": sorted(installed(before))}
        said["compiled"] = list(compiled(package))
        said["uses"] = {name: sorted(used) for name, used in self.uses.items()}
        self.out.write_text(json.dumps(said), encoding="utf-8")


def here() -> bool:
    """Tell whether this is the thread that tests run in."""
    return threading.current_thread() is threading.main_thread()


def shared(fixture: pytest.FixtureDef) -> str:
    """Name a fixture."""
    return f"fixture {fixture.baseid}::{fixture.argname}"


def installed(before: set[str]) -> Iterator[str]:
    """Yield modules that were imported since, of what is installed."""
    for name, module in list(sys.modules.items()):
        file = str(getattr(module, "__file__", None) or "")
        if name not in before and file.startswith((sys.prefix, sys.base_prefix)):
            yield name


def compiled(package: str) -> Iterator[tuple[str, int, int]]:
    """Yield file, first and last line of each function that is compiled."""
    for name, module in list(sys.modules.items()):
        for value in vars(module).values() if name.startswith(PACKAGE.name) else ():
            if code := getattr(getattr(value, "py_func", None), "__code__", None):
                file = Path(code.co_filename).relative_to(package).as_posix()
                yield file, code.co_firstlineno, max(line for *_, line in code.co_lines() if line)


@dataclass(frozen=True)
class Executed:
    """What was seen of some tests.

    Attributes:
        seconds: What each test that passes takes, with the fixtures it uses [seconds].
        lines: Tests by file and line.
        by_file: Tests by file.
        imported: Lines that are executed on import.
        compiled: Lines that are compiled.
        left: Why tests were left out.
        modules: What else they import.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    by_file: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    imported: set[tuple[str, int]] = field(default_factory=set)
    compiled: set[tuple[str, int]] = field(default_factory=set)
    left: dict[str, str] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)

    def add(self, said: dict, longest: float) -> None:
        """Add what `Lines` wrote of a folder; leave out what takes longer [seconds]."""
        self.modules.update(said["modules"])
        self.left.update(said["left"])
        self.imported.update(
            (f, n) for f, ns in said["lines"].get(IMPORTED, {}).items() for n in ns
        )
        for file, first, last in said["compiled"]:
            self.compiled.update((file, number) for number in range(first, last + 1))
        for test in said["tests"]:
            names, asked = {test}, [test]
            while asked:
                new = set(said["uses"].get(asked.pop(), ())) - names
                names |= new
                asked += new
            took = sum(said["seconds"].get(name, 0.0) for name in names)
            if said["seconds"].get(test, 0.0) > longest:
                self.left.setdefault(test, f"takes longer than {longest:g} s")
            if test not in self.left:
                self.seconds[test] = took
            for name in names:
                for file, numbers in said["lines"].get(name, {}).items():
                    self.by_file[file].add(test)
                    for number in numbers:
                        self.lines[file, number].add(test)
