"""Blocks of two networks side by side: kinds, stages, and which of them are paired."""

import pytest
from torch import nn

import legatee
from legatee.surgery.planning.block_rule import BlockRule, block_rule
from legatee.surgery.planning.match_blocks import Module, pair_by_kind, pair_by_stage

FIRST, LAST = BlockRule("first"), BlockRule("last")


def block(name, kind="a", level=None):
    """A block that holds weights of the given letters, and one tensor that tells it apart."""
    weights = frozenset((letter, "spatial") for letter in kind)
    return Module(tensors={"own": name}, kind=weights, level=level)


def names(pairs):
    return [(target.tensors["own"], source.tensors["own"]) for target, source in pairs]


# --- which of a deeper row ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "target", "source", "expected"),
    [
        ("first:2", 3, 5, [(0, 0), (1, 1)]),
        ("last:2", 3, 5, [(0, 3), (1, 4)]),
        ("spaced:3", 3, 5, [(0, 0), (1, 2), (2, 4)]),
        ("first:9", 3, 5, [(0, 0), (1, 1), (2, 2)]),
        ("last:9", 3, 5, [(0, 2), (1, 3), (2, 4)]),
        ("last:9", 5, 3, [(0, 0), (1, 1), (2, 2)]),
        ("first:1", 1, 1, [(0, 0)]),
    ],
)
def test_a_rule_for_blocks_takes_as_many_as_there_are_on_both_sides(rule, target, source, expected):
    assert block_rule(rule).pairs(target, source) == expected


def test_without_a_number_as_many_as_possible_are_taken():
    assert FIRST.pairs(2, 3) == [(0, 0), (1, 1)]
    assert LAST.pairs(2, 3) == [(0, 1), (1, 2)]
    assert block_rule(None) is None


# --- kinds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("ab", "ab", True),
        ("ab", "abcd", True),  # 2 of 4 weights are equal
        ("ab", "abcde", False),  # 2 of 5
        ("abc", "bcd", True),  # 2 of 4
        ("abc", "abcd", True),
        ("abc", "cde", False),  # 1 of 5
        ("ab", "cd", False),
    ],
)
def test_modules_are_alike_where_half_of_their_weights_are(one, other, alike):
    assert block("x", one).is_like(block("y", other)) is alike
    assert block("y", other).is_like(block("x", one)) is alike


def test_biases_and_norms_count_only_where_there_is_nothing_else():
    weight, norms = ("conv", "spatial"), {("norm", "1 axes"), ("other", "1 axes")}
    with_norms = Module(kind=frozenset({weight, *norms}))
    assert with_norms.is_like(Module(kind=frozenset({weight})))
    assert Module(kind=frozenset(norms)).is_like(Module(kind=frozenset({("norm", "1 axes")})))
    assert not Module(kind=frozenset(norms)).is_like(Module(kind=frozenset({weight})))
    assert not Module(kind=frozenset({("gamma", "1 axes"), weight})).is_like(
        Module(kind=frozenset({("gamma", "1 axes"), ("other", "spatial")}))
    )


def test_a_module_without_children_is_a_layer():
    assert block("x").is_layer
    assert not Module(children={"0": block("x")}).is_layer


def test_blocks_of_a_stage_are_paired_kind_by_kind():
    target = [block("t0", "ab"), block("t1", "a"), block("t2", "a")]
    source = [block("s0", "ab"), *(block(f"s{i}", "a") for i in range(1, 5))]
    assert names(pair_by_kind(target, source, FIRST)) == [("t0", "s0"), ("t1", "s1"), ("t2", "s2")]
    assert names(pair_by_kind(target, source, BlockRule("last", 1))) == [("t0", "s0"), ("t1", "s4")]


def test_blocks_of_a_similar_kind_stand_in_for_an_equal_one_and_any_for_a_similar_one():
    equal, similar, other = block("equal", "abc"), block("similar", "ab"), block("other", "xyz")
    target = [block("t", "abc")]
    assert names(pair_by_kind(target, [other, similar, equal], FIRST)) == [("t", "equal")]
    assert names(pair_by_kind(target, [other, similar], FIRST)) == [("t", "similar")]
    assert names(pair_by_kind(target, [other], FIRST)) == [("t", "other")]
    assert pair_by_kind([], [other], FIRST) == []


# --- stages ---------------------------------------------------------------------------------------


def row(prefix, *levels):
    return [block(f"{prefix}{i}", "a", level) for i, level in enumerate(levels)]


def test_as_many_stages_correspond_in_order_whatever_their_resolution():
    pairs = pair_by_stage(row("t", 0, 0, 1, 2), row("s", 1, 2, 2, 2, 3), FIRST)
    assert names(pairs) == [("t0", "s0"), ("t2", "s1"), ("t3", "s4")]
    pairs = pair_by_stage(row("t", 0, 0, 1, 2), row("s", 1, 2, 2, 2, 3), LAST)
    assert names(pairs) == [("t0", "s0"), ("t2", "s3"), ("t3", "s4")]


def test_of_fewer_stages_those_of_one_resolution_correspond():
    pairs = pair_by_stage(row("t", 1, 3), row("s", 0, 1, 1, 2, 3), LAST)
    assert names(pairs) == [("t0", "s2"), ("t1", "s4")]
    pairs = pair_by_stage(row("t", 0, 1, 2), row("s", 2, 2), FIRST)
    assert names(pairs) == [("t2", "s0")]
    assert pair_by_stage(row("t", 0, 1), row("s", 2), FIRST) == []


def test_a_block_of_unknown_resolution_belongs_to_the_stage_before_it():
    pairs = pair_by_stage(row("t", 1, None, 2), row("s", 1, 1, 2), FIRST)
    assert names(pairs) == [("t0", "s0"), ("t1", "s1"), ("t2", "s2")]
    pairs = pair_by_stage(row("t", None, 1, 2), row("s", 1, 1, 2), FIRST)
    assert names(pairs) == [("t0", "s0"), ("t1", "s1"), ("t2", "s2")]
    pairs = pair_by_stage(row("t", None, None), row("s", None, None, None), LAST)
    assert names(pairs) == [("t0", "s1"), ("t1", "s2")]


# --- whole networks -------------------------------------------------------------------------------


def sources(source, target, **options):
    return {
        move.target.removesuffix(".weight"): move.source.removesuffix(".weight")
        for move in legatee.plan(source, target, **options).moves
        if move.target.endswith(".weight")
    }


def test_numbers_of_a_sequence_are_positions_and_numbers_of_names_are_names():
    """0, 2 and 4 of one sequence are the layers 0, 3 and 6 of another; conv1 is conv1."""

    def sequence(*extra):
        layers = []
        for _ in range(2):
            layers += [nn.Linear(4, 4), *[make() for make in extra]]
        return nn.Sequential(*layers, nn.Linear(4, 2))

    found = sources(sequence(nn.ReLU, nn.Identity), sequence(nn.ReLU))
    assert found == {"0": "0", "2": "3"}

    class Named(nn.Module):
        def __init__(self, *numbers):
            super().__init__()
            self.numbers = numbers
            for number in numbers:
                self.add_module(f"fc{number}", nn.Linear(4, 4))

        def forward(self, x):
            for number in self.numbers:
                x = x + self.get_submodule(f"fc{number}")(x)
            return x.sum(1, keepdim=True)

    assert sources(Named(1, 2, 3), Named(2, 3)) == {"fc2": "fc2", "fc3": "fc3"}


class Blocks(nn.Module):
    """Blocks of two layers each, under numbers."""

    def __init__(self, *numbers):
        super().__init__()
        made = {str(n): nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)) for n in numbers}
        self.blocks = nn.ModuleDict(made)

    def forward(self, x):
        for layers in self.blocks.values():
            x = x + layers(x)
        return x.sum(1, keepdim=True)


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (None, {0: 0, 1: 1}),
        ("last:2", {0: 2, 1: 3}),
        ("first:1", {0: 0}),
        ("last:1", {0: 3}),
        ("spaced:2", {0: 0, 1: 2}),
    ],
)
def test_blocks_of_a_deeper_source_are_taken_as_asked(match, expected):
    found = sources(Blocks(0, 1, 2, 3), Blocks(0, 1), match=match)
    assert found == {
        f"blocks.{t}.{i}": f"blocks.{s}.{i}" for t, s in expected.items() for i in (0, 2)
    }


def test_blocks_of_other_numbers_are_paired_in_order():
    found = sources(Blocks(3, 5, 7), Blocks(0, 1))
    assert found == {
        f"blocks.{t}.{i}": f"blocks.{s}.{i}" for t, s in ((0, 3), (1, 5)) for i in (0, 2)
    }


def test_a_rule_for_blocks_also_holds_between_networks_of_one_depth():
    found = sources(Blocks(0, 1), Blocks(0, 1), match="last:1")
    assert found == {"blocks.0.0": "blocks.1.0", "blocks.0.2": "blocks.1.2"}
