"""Names say what they hold, and texts use the field's words rather than a vocabulary of our own."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "legatee"
POINTING = {"ours", "theirs"}  # of two networks, nobody knows which
RIDDLES = (
    "at home",
    "on where it",
    "go on with",
    "goes on with",
    "gone on with",
    "read on",
    "reads on",
    "reads it on",
    "reads them on",
    "shows the classes",
    "shows its channels",
    "laid over",
    "lays over",
    "halvings",
    "longer row",
    "parted",
    "made one",
    "makes one",
    "give away",
    "gives away",
    "worth nothing",
    "filled part by part",
    "own start",
    "looked up by number",
    "speaks of",
    "spoken of",
    "speak of",
    "do not get to work",
    "given up on",
    "its own weights alone",
    "not finite, or convert",
    "allow what is not finite",
)

MODULES = sorted(SRC.rglob("*.py"))
TEXTS = sorted(
    [
        ROOT / "README.md",
        *(ROOT / "docs").rglob("*.md"),
        *(f for f in SRC.rglob("*") if f.suffix in {".html", ".j2", ".js", ".css"}),
    ]
)


def names_in(source: str) -> set[str]:
    """Return every name, attribute, argument and keyword in a module."""
    fields = ("id", "attr", "arg", "name")
    nodes = list(ast.walk(ast.parse(source)))
    return {
        value
        for node in nodes
        for field in fields
        if isinstance(value := getattr(node, field, None), str)
    }


def strings_in(source: str) -> list[str]:
    """Return every text of a module, docstrings included, with the comments."""
    nodes = ast.walk(ast.parse(source))
    texts = [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return texts + re.findall(r"(?<!\S)# .*", source)


def riddles_in(texts: list[str]) -> set[str]:
    """Return the phrases of the list that occur, over line breaks too, as whole words."""
    flat = "\n".join(re.sub(r"\s+", " ", text) for text in texts)
    return {phrase for phrase in RIDDLES if re.search(rf"\b{re.escape(phrase)}\b", flat, re.I)}


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_no_name_says_ours_or_theirs(path):
    parts = {part for name in names_in(path.read_text()) for part in name.lower().split("_")}
    assert not parts & POINTING


@pytest.mark.parametrize("path", [*MODULES, *TEXTS], ids=place)
def test_no_text_speaks_in_riddles(path):
    text = path.read_text()
    riddles = riddles_in(strings_in(text) if path.suffix == ".py" else [text])
    assert not riddles


def test_names_and_texts_are_found_wherever_they_stand():
    code = "def f(ours, *, b=1):\n    'It is read\n    on.'\n    return theirs.c(d=2)  # made one"
    code = code.replace("'It", '"""It').replace("on.'", 'on."""')
    assert {"f", "ours", "b", "theirs", "c", "d"} <= names_in(code)
    assert riddles_in(strings_in(code)) == {"read on", "made one"}
    assert riddles_in(["Thread on a departed zone"]) == set()
