"""Test files of different folders share one namespace: two of one name cannot be collected."""

import ast
from collections import Counter, defaultdict
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_every_test_file_has_a_name_of_its_own():
    names = Counter(file.name for file in TESTS.rglob("*.py") if file.name != "conftest.py")
    assert [name for name, times in names.items() if times > 1] == []


SRC = Path(__file__).parents[2] / "src" / "legatee"
REPEATED = {  # functions that several files have, each for its own kind of thing
    "read",  # a figure's file reads its own results
    "load",  # every source of data, and what stores things
}


def public_names() -> dict[str, set[str]]:
    """Return every public class and function with the files that define it, commands aside."""
    found = defaultdict(set)
    for path in SRC.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name[0] != "_":
                found[node.name].add(path.relative_to(SRC).as_posix())
    return found


def test_no_two_classes_have_one_name():
    classes = {name: files for name, files in public_names().items() if name[0].isupper()}
    assert len(classes) > 100
    assert {name: files for name, files in classes.items() if len(files) > 1} == {}


def test_functions_of_one_name_are_listed():
    functions = {name: files for name, files in public_names().items() if name[0].islower()}
    assert {name for name, files in functions.items() if len(files) > 3} == REPEATED
