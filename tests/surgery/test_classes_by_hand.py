"""Classes and heads by themselves: which class is which, and what is said of them."""

from types import SimpleNamespace

import pytest
from torch import nn

from legatee.errors import TransferError, UnknownNameError
from legatee.surgery.network.catalog import read
from legatee.surgery.planning.classes import Classes, classes_of, heads, same_meaning

NAMES = ["ant", "bee", "cat", "cat"]
KNOWN, UNKNOWN = Classes("source", 4, NAMES), Classes("source", 4, None)


def decide(target, source, classes=None, same=True, head=True):
    return heads(target, source, classes=classes, same=same, head=head)


def named(side, *names):
    return Classes(side, len(names), names)


@pytest.mark.parametrize("label", [0, 3])
def test_numbers_from_0_to_one_less_than_there_are_are_classes(label):
    assert KNOWN.number(label) == UNKNOWN.number(label) == label


@pytest.mark.parametrize("label", [-1, 4])
def test_other_numbers_are_none(label):
    with pytest.raises(TransferError, match=rf"source has classes 0 to 3, not {label}"):
        UNKNOWN.number(label)
    with pytest.raises(TransferError, match=rf"0 to 3 \(ant, bee, cat, cat\), not {label}"):
        KNOWN.number(label)


def test_at_most_twelve_names_are_listed():
    many = named("target", *(f"class {i}" for i in range(13)))
    with pytest.raises(TransferError, match=r"\(class 0, .*, class 11\), not 13"):
        many.number(13)


def test_names_are_classes_where_they_are_known_and_belong_to_one():
    assert [KNOWN.number(name) for name in ("ant", "bee")] == [0, 1]
    with pytest.raises(UnknownNameError, match="class of the source 'dog'"):
        KNOWN.number("dog")
    with pytest.raises(TransferError, match=r"'cat' is the name of classes 2 and 3 of the source"):
        KNOWN.number("cat")


@pytest.mark.parametrize(
    ("side", "option"), [("target", "class_names"), ("source", "source_class_names")]
)
def test_a_name_without_an_order_asks_for_the_option_of_that_network(side, option):
    with pytest.raises(
        TransferError, match=rf"the {side}'s classes .* pass {option}, the names of all 4"
    ):
        Classes(side, 4, None).number("ant")
    with pytest.raises(
        TransferError, match=rf"^{option} has 3 names, but the {side} has 4 classes"
    ):
        Classes(side, 4, ["a", "b", "c"])


def test_a_map_of_classes_goes_from_target_to_source():
    target = named("target", "cow", "ant", "dog")
    assert same_meaning({"ant": "bee", 0: 3}, target, KNOWN) == {1: 1, 0: 3}
    assert same_meaning({}, target, KNOWN) == {}
    with pytest.raises(TransferError, match="target class 1 twice, as 'ant' and 1"):
        same_meaning({"ant": 0, 1: 0}, target, KNOWN)
    assert same_meaning({0: 1, 1: 1}, target, KNOWN) == {0: 1, 1: 1}


def test_a_map_of_classes_decides_whatever_else_is_known():
    target, source = named("target", "ant", "bee"), named("source", "ant", "bee")
    for same in (True, False):
        for head in (True, False):
            found, notes = decide(target, source, {"ant": "bee"}, same, head)
            assert (found.same, dict(found.classes), notes) == (False, {0: 1}, [])


@pytest.mark.parametrize(
    ("target", "source", "side"), [(None, KNOWN, "target"), (KNOWN, None, "source")]
)
def test_a_map_of_classes_needs_one_head_on_both_sides(target, source, side):
    with pytest.raises(TransferError, match=rf"class_map cannot be used: the {side} has no single"):
        decide(target, source, {0: 0})


def test_a_head_that_is_not_wanted_is_not_inherited():
    same = named("target", "ant"), named("source", "ant")
    for target, source in (same, (UNKNOWN, UNKNOWN), (None, None)):
        found, notes = decide(target, source, head=False)
        assert (found.same, found.classes, notes) == (False, None, [])


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize(
    ("target", "source"),
    [(None, None), (KNOWN, None), (None, KNOWN), (KNOWN, UNKNOWN), (UNKNOWN, KNOWN)],
)
def test_where_names_are_not_known_on_both_sides_equal_architectures_decide(target, source, same):
    found, notes = decide(target, source, same=same)
    assert (found.same, found.classes, notes) == (same, None, [])


def test_equal_names_in_equal_order_are_the_same_head_whatever_the_architectures():
    names = named("target", "ant", "bee"), named("source", "ant", "bee")
    found, notes = decide(*names, same=False)
    assert (found.same, found.classes, notes) == (True, None, [])


def test_names_in_another_order_are_found_one_by_one_and_said():
    target, source = named("target", "bee", "dog", "ant"), named("source", "ant", "bee")
    found, (note,) = decide(target, source)
    assert (found.same, dict(found.classes)) == (False, {0: 1, 2: 0})
    assert note == (
        "2 of the target's 3 classes have the same name in the source and are inherited "
        "('bee' is 0 in the target, 1 in the source; 'ant' is 2 in the target, 0 in the source)"
    )


@pytest.mark.parametrize(("count", "more"), [(3, False), (4, True)])
def test_three_pairs_are_named_and_more_are_hinted_at(count, more):
    names = [f"class {i}" for i in range(count)]
    _, (note,) = decide(named("target", *names), named("source", *reversed(names)))
    assert note.startswith(f"{count} of the target's {count} classes")
    assert note.count("in the target, ") == 3
    assert note.endswith("; ...)") == more


def test_a_name_that_several_classes_have_says_nothing():
    target, source = named("target", "ant", "cat"), named("source", *NAMES)
    assert dict(decide(target, source)[0].classes) == {0: 0}
    assert dict(decide(named("target", *NAMES), named("source", "cat", "bee"))[0].classes) == {1: 1}


def test_without_a_common_name_no_class_is_inherited_and_it_is_said():
    found, (note,) = decide(named("target", "dog"), named("source", "ant"))
    assert (found.same, found.classes) == (False, None)
    assert note.startswith("the head is not inherited: no class of the target has the name")


CATALOG = read(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3)))


def in_config(labels, names=None):
    network = SimpleNamespace(config=SimpleNamespace(id2label=labels))
    return classes_of("target", network, CATALOG, names)


@pytest.mark.parametrize(
    "labels",
    [
        {0: "a", 1: "b", 2: "c"},
        {"2": "c", "1": "b", "0": "a"},
        ["a", "b", "c"],
        ("a", "b", "c"),
    ],
)
def test_a_config_may_name_the_classes(labels):
    assert list(in_config(labels).names) == ["a", "b", "c"]
    assert list(in_config(labels, ["x", "y", "z"]).names) == ["x", "y", "z"]


@pytest.mark.parametrize(
    "labels",
    [
        None,
        {},
        {0: "a", 1: "b"},  # of another task
        {0: "a", 1: "b", 2: "c", 3: "d"},
        {0: "a", 1: "b", 3: "d"},  # one is missing
        {1: "a", 2: "b", 3: "c"},
        {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"},  # nobody gave them names
    ],
)
def test_a_config_of_another_task_or_without_names_names_nothing(labels):
    found = in_config(labels)
    assert (found.side, found.size, found.names) == ("target", 3, None)


def test_a_label_that_looks_unnamed_is_a_name_beside_others():
    labels = {0: "LABEL_0", 1: "LABEL_1", 2: "cat"}
    assert list(in_config(labels).names) == list(labels.values())


def test_a_network_with_two_heads_has_no_classes_to_name():
    class Twins(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(3, 2), nn.Linear(3, 4)

        def forward(self, x):
            return self.one(x), self.two(x)

    twins = read(Twins())
    assert classes_of("source", Twins(), twins, None) is None
    with pytest.raises(TransferError, match=r"^source_class_names cannot be used: the source has"):
        classes_of("source", Twins(), twins, ["a", "b"])
