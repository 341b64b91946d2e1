"""Which tests a mutant meets, and what comes of it."""

import ast
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path

from mutant_lines import Executed, Lines
from mutant_runs import COMPILING, PACKAGE, PATIENCE, Chosen, Run, Trial, lay
from mutants import Mutant

GROUND, LAWS, FIRST = "ground", "laws", 8  # so many tests run first whatever file they are in
PASSED = {0, 5}  # pytest's words for: all pass, there are none
TOLD = ("key", "path", "line", "operator", "functions", "before", "after")


@dataclass
class Session:
    """What all trials share.

    Attributes:
        home: Where all is kept.
        root: The clean tree.
        longest: What a test may take [seconds].
        everywhere: Whether mutants meet every test.
        seen: What each folder's tests execute.
        passing: Tests that killed a mutant and pass on the clean tree.
        failing: Tests that fail there too.
        digests: What tells folders from what they were.
        texts: What stands in files of tests.
    """

    home: Path
    root: Path
    longest: float
    everywhere: bool
    seen: dict[str, Executed] = field(default_factory=dict)
    passing: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    digests: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def folders(self) -> list[str]:
        """Return every folder of tests, or wing with doctests."""
        inside = [*Path(self.root, "tests").iterdir(), *Path(self.root, PACKAGE).iterdir()]
        return [*sorted({p.name for p in inside if p.is_dir() and any(p.glob("*.py"))}), GROUND]

    def own(self, path: str) -> list[str]:
        """Return the folders of tests that a file meets."""
        wing, every = wing_of(path), self.folders()
        tests = Path(self.root, "tests")
        has = (tests / wing).is_dir() if wing != GROUND else (tests / f"test_{path}").exists()
        met = {wing, LAWS} if has and not self.everywhere else set(every)
        return [one for one in every if one in met]

    def collected(self, folder: str) -> tuple[str, ...]:
        """Return what pytest collects for a folder."""
        if folder == GROUND:
            files = *self.root.glob("tests/test_*.py"), *Path(self.root, PACKAGE).glob("*.py")
        else:
            places = Path(self.root, "tests", folder), Path(self.root, PACKAGE, folder)
            files = tuple(place for place in places if place.is_dir())
        return tuple(sorted(str(file.relative_to(self.root)) for file in files))

    def digest(self, folder: str) -> str:
        """Return what tells the package and a folder's tests from others."""
        if folder not in self.digests:
            files = [*Path(self.root, "src").rglob("*"), *Path(self.root, "tests").glob("*.py")]
            files += Path(self.root, "tests", folder).rglob("*.py")
            digest = sha256()
            for file in sorted(file for file in files if file.is_file()):
                if "__pycache__" not in file.parts:
                    digest.update(str(file).encode() + file.read_bytes())
            self.digests[folder] = digest.hexdigest()[:16]
        return self.digests[folder]

    def learn(self, folder: str) -> Trial:
        """Measure what a folder's tests execute, unless it is known."""
        file = self.home / f"lines-{folder}.json"
        said = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        if said.get("digest") != self.digest(folder):
            print(f"measuring which lines {folder} executes", file=sys.stderr, flush=True)
            said, seconds = yield Run(self.root, self.collected(folder), Lines())
            if "tests" not in said or said["code"] not in {0, 1, 5}:
                sys.exit(f"The tests of {folder} do not run: {said['log']}")
            del said["log"]
            said |= {"digest": self.digest(folder)}
            file.write_text(json.dumps(said), encoding="utf-8")
            print(f"{folder}: {said['ran']} tests, {seconds:.0f} s", file=sys.stderr, flush=True)
        self.seen[folder] = Executed()
        self.seen[folder].add(said, self.longest)
        return folder

    def chosen(self, mutant: Mutant) -> tuple[dict[str, float], int]:
        """Return the tests that a mutant meets, in order; and how many of them are left out."""
        lines = [(mutant.path, n) for n in range(mutant.span[0], mutant.span[1] + 1)]
        met, left = dict[str, tuple[int, float]](), set[str]()
        for seen in (self.seen[folder] for folder in self.own(mutant.path)):
            here = {test for line in lines for test in seen.lines.get(line, ())}
            left |= here - seen.seconds.keys()
            met |= {test: (0, seen.seconds[test]) for test in here & seen.seconds.keys()}
            unseen = any(line in seen.imported or line in seen.compiled for line in lines)
            if unseen or not mutant.functions:
                for rank, tests in enumerate(self.near(mutant.path, seen), start=1):
                    for test in tests & seen.seconds.keys():
                        met.setdefault(test, (rank, seen.seconds[test]))
        tests = sorted(met.keys() - self.failing, key=lambda test: (met[test], test))
        order = [*tests[:FIRST], *sorted(tests[FIRST:], key=by_file(tests))]
        return {test: met[test][1] for test in order}, len(left)

    def near(self, path: str, seen: Executed) -> tuple[set[str], set[str]]:
        """Return tests that execute anything of a file; and those that may be led to it."""
        users, asked = {path}, [path]
        while asked:
            new = {file for file, used in self.imports.items() if asked[-1] in used} - users
            asked.pop()
            users |= new
            asked += new
        name = ".".join((PACKAGE.name, *Path(path).with_suffix("").parts))
        direct = seen.by_file.get(path, set())
        led = {test for file in users for test in seen.by_file.get(file, ())}
        return direct, led | {test for test in seen.seconds if name in self.text(test)}

    def text(self, test: str) -> str:
        """Return what stands in a test's file."""
        file = test.partition("::")[0]
        if file not in self.texts:
            self.texts[file] = Path(self.root, file).read_text(encoding="utf-8")
        return self.texts[file]

    @cached_property
    def imports(self) -> dict[str, set[str]]:
        """What each file of the package imports of it."""
        home = Path(self.root, PACKAGE)
        files = {file.relative_to(home).as_posix(): file for file in home.rglob("*.py")}
        return {
            path: set(imported(file.read_bytes())) & files.keys() for path, file in files.items()
        }


def imported(text: bytes) -> Iterator[str]:
    """Yield files of the package that a file may import."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
        else:
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
        for first, *rest in (name.split(".") for name in names):
            if first == PACKAGE.name:
                yield "/".join([*rest, "__init__.py"])
                yield "/".join(rest) + ".py"


def by_file(tests: list[str]) -> Callable[[str], int]:
    """Return a key that leaves tests of one file together."""
    files = {file: place for place, file in enumerate(files_of(tests))}
    return lambda test: files[test.partition("::")[0]]


def files_of(tests: Iterable[str]) -> tuple[str, ...]:
    """Return the files that tests are in, in the order they come up."""
    return tuple(dict.fromkeys(test.partition("::")[0] for test in tests))


def wing_of(path: str) -> str:
    """Return the wing of a file: the first folder, or the ground."""
    return Path(path).parts[0] if len(Path(path).parts) > 1 else GROUND


def given(session: Session, mutant: Mutant, text: bytes) -> dict[str, str]:
    """Return what a result holds for: the file, and for a survivor also all it met."""
    met = "".join(session.digest(folder) for folder in session.own(mutant.path))
    met = sha256(f"{met}{session.longest}".encode()).hexdigest()[:16]
    return {"file": sha256(text).hexdigest()[:16], "met": met}


def trial(session: Session, mutant: Mutant, text: bytes) -> Trial:
    """Let tests meet a mutant; return what came of it."""
    spent, root = 0.0, session.home / f"mutant-{mutant.key}"
    everyone = {t for seen in session.seen.values() for t in (*seen.seconds, *seen.left)}
    compiled = any(
        file == mutant.path for seen in session.seen.values() for file, _ in seen.compiled
    )
    write = partial(lay, root, session.root, mutant.path, mutant.applied(text), compiled)
    patience = COMPILING if compiled else PATIENCE
    while True:
        tests, left = session.chosen(mutant)
        said: dict = {"ran": 0, "code": 0, "why": f"{left} left out execute it" if left else ""}
        if tests:
            run = Run(root, files_of(tests), Chosen(tests, everyone, patience), write)
            said, seconds = yield run
            shutil.rmtree(root, ignore_errors=True)
            spent += seconds
        killed, killer = said["code"] not in PASSED, said.get("by", "")
        if killed and killer in tests and killer not in session.passing:
            names = list(tests)
            before = {name: tests[name] for name in names[: names.index(killer) + 1]}
            control, seconds = yield Run(session.root, files_of(before), Chosen(before, everyone))
            spent += seconds
            if control["code"] not in PASSED:
                session.failing.add(control.get("by", killer))
                continue
            session.passing.add(killer)
        outcome = "killed" if killed else "survived" if tests else "not executed"
        told = {name: getattr(mutant, name) for name in TOLD}
        told |= given(session, mutant, text) | {"wing": wing_of(mutant.path), "outcome": outcome}
        counts = {"ran": said["ran"], "of": len(tests), "seconds": round(spent, 2)}
        return told | {"by": killer if killed else "", "why": said.get("why", "")} | counts
