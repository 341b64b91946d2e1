"""A tree of names as text, folded where everything below is alike or neighbours repeat."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from legatee.text import share

NUMBER = re.compile(r"\d+")
Block = list[tuple[str, str]]  # lines: label, text


@dataclass(frozen=True, kw_only=True)
class Row:
    """One tensor of a tree.

    Attributes:
        name: Its dotted name.
        size: Its elements [count].
        filled: Elements that come from ``source`` [count].
        source: Dotted name of where they come from; ``""`` for nowhere.
        note: How they come, or why they do not.
    """

    name: str
    size: int
    filled: int
    source: str = ""
    note: str = ""


@dataclass
class _Node:
    rows: list[Row] = field(default_factory=list)
    children: dict[str, "_Node"] = field(default_factory=dict)


def folded(rows: Sequence[Row]) -> list[str]:
    """Write a tree of names, a line for each part in which everything is alike.

    Args:
        rows: The tensors, in order; those of several rows are counted once.

    Returns:
        Lines: name, share that is filled, source, and notes.

    Example:
        >>> rows = [Row(name=f"body.{i}.w", source=f"body.{i}.w", size=4, filled=2) for i in "01"]
        >>> print(*folded([*rows, Row(name="head.w", size=9, filled=0, note="why")]), sep=chr(10))
        body   50%  <- same name, 2 tensors
        head    0%  why
    """
    root = _Node()
    for row in rows:
        node = root
        for part in row.name.split("."):
            node = node.children.setdefault(part, _Node())
            node.rows.append(row)
    lines = [line for name, child in root.children.items() for line in _lines(name, child, name)]
    width = max((len(label) for label, _ in lines), default=0)
    return [f"{label.ljust(width)}  {text}" for label, text in lines]


def unfolding(headline: str, text: str) -> str:
    """Write a line of text that opens to more, as HTML for a notebook.

    Args:
        headline: The line.
        text: What it opens to; its columns stay aligned.

    Returns:
        HTML in which both are escaped.

    Example:
        >>> unfolding("a & b", "c")
        '<details><summary>a &amp; b</summary><pre>c</pre></details>'
    """
    return f"<details><summary>{escape(headline)}</summary><pre>{escape(text)}</pre></details>"


def _lines(label: str, node: _Node, path: str) -> Block:
    """Write one node: a line if everything below is alike, else a line and its children's."""
    kinds = {_kind(row, path) for row in node.rows}
    layer = all(not child.children for child in node.children.values())
    left = not any(row.source for row in node.rows)
    if len(kinds) == 1 or not node.children or (layer and left):
        return [(label, _text(node.rows, path))]
    below: list[tuple[str, Block]] = []
    for name, child in node.children.items():
        below.append((name, _lines("", child, f"{path}.{name}")))
    lines = [(label, f"{_share(node.rows):>4}")]
    for names, block in _alike(below):
        lines += [
            ("  " + (names if i == 0 else inner), text) for i, (inner, text) in enumerate(block)
        ]
    return lines


def _alike(below: list[tuple[str, Block]]) -> list[tuple[str, Block]]:
    """Join numbered neighbours whose lines differ in nothing but their number."""
    joined: list[tuple[list[str], Block, tuple[str, Block]]] = []
    for name, block in below:
        number = NUMBER.search(name)
        same = block
        if number is not None:  # ``*`` stands for a part's own number
            own = re.compile(rf"(?<=[._]){number[0]}(?=[.,_]|$)")
            same = [(inner, own.sub("*", text)) for inner, text in block]
        key = NUMBER.sub("*", name), same
        if joined and number is not None and joined[-1][2] == key:
            joined[-1][0].append(name)
        else:
            joined.append(([name], block, key))
    return [(_span(n), block if len(n) == 1 else key[1]) for n, block, key in joined]


def _span(names: list[str]) -> str:
    """Name several numbered neighbours at once."""
    last = NUMBER.search(names[-1])
    return names[0] if len(names) == 1 or last is None else f"{names[0]}..{last[0]}"


def _kind(row: Row, path: str) -> tuple[str, str]:
    """Return what makes two tensors below one path alike: where they come from, and how."""
    rest = row.name.removeprefix(path)
    if not row.source:
        return "", row.note
    if row.source == row.name:
        return "same name", row.note
    return (row.source.removesuffix(rest) if row.source.endswith(rest) else row.source), row.note


def _text(rows: list[Row], path: str) -> str:
    """Say of tensors that are alike how much of them comes from where."""
    kinds = dict.fromkeys(_kind(row, path) for row in rows)
    sources = " and ".join(source for source, _ in kinds if source)
    note = next(iter(kinds))[1]
    count = len({row.name for row in rows})
    parts = [f"<- {sources}" if sources else "", note, f"{count} tensors" if count > 1 else ""]
    return f"{_share(rows):>4}  " + ", ".join(part for part in parts if part)


def _share(rows: list[Row]) -> str:
    """Return the share of all elements that is filled."""
    sizes = {row.name: row.size for row in rows}
    return share(sum(row.filled for row in rows) / max(sum(sizes.values()), 1))
