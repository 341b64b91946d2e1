import pytest
from report_cases import move, resnet_plan

from legatee.plans.plan import Untouched
from legatee.report.plan_flow import blocks


def plan_of(*entries):
    return resnet_plan().model_copy(update={"entries": entries})


def pair(target: str, source: str, kept: int = 4):
    """A layer of four weights and four biases that inherits so many of each."""
    return [move(f"{target}.{t}", f"{source}.{t}", (4,), (f"0:{kept}",)) for t in ("w", "b")]


def fed(drawing):
    return [(line.target, line.source, line.share) for line in drawing.lines]


def half_of_a_transformer():
    """Six blocks of eight layers from every other one of twelve, by half; and a head."""
    moves = [
        entry
        for n in range(6)
        for layer in "abcdefgh"
        for entry in pair(f"blocks.{n}.{layer}", f"blocks.{2 * n + 1}.{layer}", 2)
    ]
    return plan_of(*moves, Untouched(target="head.w", shape=(9,), reason="other classes"))


def test_every_other_block_feeds_one():
    drawing = blocks(half_of_a_transformer())
    assert fed(drawing) == [(f"blocks.{n}", f"blocks.{2 * n + 1}", 0.5) for n in range(6)]
    assert list(drawing.sources) == [f"blocks.{n}" for n in (1, 3, 5, 7, 9, 11)]
    assert list(drawing.targets) == [*(f"blocks.{n}" for n in range(6)), "head"]


def test_a_line_is_as_thick_as_its_share_and_ends_at_its_block():
    drawing = blocks(plan_of(*pair("a.x", "a.x"), *pair("b.x", "b.x", 1)))
    whole, quarter = drawing.lines
    assert whole.width == 4 * quarter.width
    assert [whole.end, quarter.end] == list(drawing.targets.values())
    assert 0 < whole.end < quarter.end < drawing.height


def test_lines_to_one_block_lie_side_by_side():
    first = move("a.x.w", "b.x.w", (8,), ("0:2",))
    second = first.model_copy(update={"source": "c.x.w", "put": ("2:8",), "take": ("0:6",)})
    drawing = blocks(plan_of(first, second))
    assert fed(drawing) == [("a.x", "b.x", 0.25), ("a.x", "c.x", 0.75)]
    upper, lower = drawing.lines
    assert lower.end - upper.end == pytest.approx((upper.width + lower.width) / 2)
    assert upper.end - upper.width / 2 == drawing.targets["a.x"] - 4 * upper.width / 2


def test_numbered_sources_stand_in_the_order_of_their_numbers():
    taken = ("stem", "row.10", "row.9", "row.2", "last")
    drawing = blocks(plan_of(*(e for n, s in enumerate(taken) for e in pair(f"t.{n}", s))))
    assert list(drawing.sources) == ["stem", "row.2", "row.9", "row.10", "last"]


def test_a_number_too_long_to_be_one_is_a_name():
    drawing = blocks(plan_of(*pair("t.0", "row.0"), *pair("t.1", f"row.{'9' * 5000}")))
    assert list(drawing.sources) == ["row.0", f"row.{'9' * 5000}"]


def test_names_are_cut_where_a_column_can_be_taken_in():
    tall = [
        entry
        for stage in "ab"
        for n in range(30)
        for entry in pair(f"{stage}.{n}.conv", f"{stage}.{n}.conv")
    ]
    assert fed(blocks(plan_of(*tall))) == [("a", "a", 1.0), ("b", "b", 1.0)]


def test_a_network_inside_another_is_cut_as_deep_as_the_other():
    inside = [
        entry
        for n in range(30)
        for layer in ("one", "two")
        for entry in pair(f"backbone.row.{n}.{layer}", f"row.{n}.{layer}")
    ]
    drawing = blocks(plan_of(*inside, Untouched(target="head.w", shape=(2,), reason="new")))
    assert fed(drawing) == [(f"backbone.row.{n}", f"row.{n}", 1.0) for n in range(30)]


def test_what_cannot_be_drawn_is_left_out():
    assert blocks(plan_of(Untouched(target="head.w", shape=(2,), reason="new"))) is None
    assert blocks(plan_of(*(e for n in range(99) for e in pair(f"layer{n}", f"layer{n}")))) is None
