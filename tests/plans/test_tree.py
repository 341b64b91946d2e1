"""A tree of names as text: what is alike is folded, and what differs is not."""

from legatee.plans.tree import Row, folded


def lines(*rows: tuple[str, str, int, int, str]) -> list[list[str]]:
    made = [
        Row(name=name, source=source, size=size, filled=filled, note=note)
        for name, source, size, filled, note in rows
    ]
    return [line.split() for line in folded(made)]


def test_what_is_alike_is_one_line():
    assert lines(
        ("body.0.w", "body.0.w", 8, 4, ""),
        ("body.1.w", "body.1.w", 8, 8, ""),
        ("head.w", "", 4, 0, "why"),
    ) == [
        ["body", "75%", "<-", "same", "name,", "2", "tensors"],
        ["head", "0%", "why"],
    ]


def test_numbered_neighbours_that_are_alike_but_for_their_number_are_joined():
    blocks = [
        row
        for n in range(3)
        for row in (
            (f"body.{n}.a.w", f"body.{n}.a.w", 4, 4, ""),
            (f"body.{n}.b.w", "", 4, 0, f"reason of {n}"),
        )
    ]
    assert lines(*blocks) == [
        ["body", "50%"],
        ["0", "50%"],
        ["a", "100%", "<-", "same", "name"],
        ["b", "0%", "reason", "of", "0"],
        ["1", "50%"],
        ["a", "100%", "<-", "same", "name"],
        ["b", "0%", "reason", "of", "1"],
        ["2", "50%"],
        ["a", "100%", "<-", "same", "name"],
        ["b", "0%", "reason", "of", "2"],
    ]
    alike = [
        (name, source, size, filled, note and "why") for name, source, size, filled, note in blocks
    ]
    assert lines(*alike) == [
        ["body", "50%"],
        ["0..2", "50%"],
        ["a", "100%", "<-", "same", "name"],
        ["b", "0%", "why"],
    ]


def test_sources_of_other_numbers_are_named_by_a_star_where_the_number_is_the_same():
    moved = [(f"body.{n}.w", f"old.stage_{n}.w", 4, 4, "") for n in range(2)]
    other = ("body.extra.w", "elsewhere.w", 4, 2, "")
    assert lines(*moved, other) == [
        ["body", "83%"],
        ["0..1", "100%", "<-", "old.stage_*"],
        ["extra", "50%", "<-", "elsewhere"],
    ]


def test_a_note_says_how_values_are_computed():
    assert lines(("a.w", "b.w", 4, 4, "bicubic"), ("c.w", "d.w", 4, 4, "")) == [
        ["a", "100%", "<-", "b,", "bicubic"],
        ["c", "100%", "<-", "d"],
    ]


def test_a_tensor_of_several_sources_is_counted_once():
    assert lines(("a.w", "b.w", 10, 4, ""), ("a.w", "c.w", 10, 1, "")) == [
        ["a", "50%"],
        ["w", "50%", "<-", "b.w", "and", "c.w"],
    ]
