"""What each channel group could inherit from which other one, counted by hand."""

from types import SimpleNamespace

import pytest
from torch import nn

from legatee.surgery.network.catalog import read
from legatee.surgery.planning.drafted import FOREIGN
from legatee.surgery.planning.group_scores import GroupScores
from legatee.surgery.planning.warnings import left_behind


def mlp(width, classes=2):
    return read(nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, classes)))


def scores(source, target, names=None, pad_kernels=False):
    names = names or list(target.tensors)
    return GroupScores(source, target, {name: name for name in names}, pad_kernels)


def group(catalog, name, axis=0):
    (number,) = catalog.groups_along[name, axis]
    return number


def test_the_makers_of_channels_are_the_weights_of_the_layers_that_compute_them():
    """Neither biases nor norms compute a channel; the input is made by no layer of the network."""
    layers = nn.Linear(3, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2)
    catalog = read(nn.Sequential(*layers))
    assert catalog.makers[group(catalog, "0.weight")] == {"0.weight"}
    assert catalog.makers[group(catalog, "3.weight")] == {"3.weight"}
    assert catalog.makers[group(catalog, "0.weight", 1)] == {"0.weight"}  # all that hold them


def test_a_group_stakes_all_elements_of_the_tensors_that_it_runs_through():
    source, target = mlp(6), mlp(4)
    hidden, source_hidden = group(target, "0.weight"), group(source, "0.weight")
    stakes = scores(source, target).elements_at_stake(hidden)
    assert stakes == {source_hidden: 4 * 3 + 4 + 2 * 4}
    (classes, source_classes) = group(target, "2.weight"), group(source, "2.weight")
    assert scores(source, target).elements_at_stake(classes) == {source_classes: 2 * 4 + 2}


def test_only_matched_tensors_are_at_stake():
    source, target = mlp(6), mlp(4)
    found = scores(source, target, ["0.bias"])
    assert found.elements_at_stake(group(target, "0.weight")) == {group(source, "0.weight"): 4}
    assert found.elements_at_stake(group(target, "2.weight")) == {}


def test_a_tensor_is_filled_only_where_all_of_its_groups_have_a_partner():
    source, target = mlp(6), mlp(4)
    found = scores(source, target)
    hidden, source_hidden = group(target, "0.weight"), group(source, "0.weight")
    inputs = {group(target, "0.weight", 1): group(source, "0.weight", 1)}
    classes = {group(target, "2.weight"): group(source, "2.weight")}
    assert found.elements_filled(hidden, source_hidden, {}) == 4  # the bias alone
    assert found.elements_filled(hidden, source_hidden, inputs) == 4 + 12
    assert found.elements_filled(hidden, source_hidden, classes) == 4 + 8
    assert found.elements_filled(hidden, source_hidden, inputs | classes) == 4 + 12 + 8
    wrong = group(source, "2.weight")
    assert found.elements_filled(hidden, wrong, inputs | classes) == 0


def convolutions(kernel, width=4):
    return read(nn.Sequential(nn.Conv2d(3, width, kernel), nn.ReLU(), nn.Conv2d(width, 5, 1)))


@pytest.mark.parametrize(
    ("small", "large", "pad", "expected"),
    [
        (3, 3, False, 4 * 3 * 9),
        (1, 3, False, None),
        (1, 3, True, 4 * 3 * 1),  # the zeros around it do not count
        (3, 5, True, 4 * 3 * 9),
        (3, 1, True, None),
        (2, 3, True, None),
    ],
)
def test_a_kernel_of_another_size_can_be_moved_only_where_it_may_grow(small, large, pad, expected):
    found = scores(convolutions(small), convolutions(large), pad_kernels=pad)
    assert found.movable.get("0.weight") == expected
    assert found.movable["0.bias"] == 4


def test_a_tensor_of_another_number_of_axes_cannot_be_moved():
    convolution = read(nn.Sequential(nn.Conv2d(3, 4, 1)))
    linear = read(nn.Sequential(nn.Linear(3, 4)))
    assert "0.weight" not in scores(convolution, linear).movable


def test_channels_of_another_number_of_positions_are_no_candidates():
    def flattening(side):
        layers = nn.AdaptiveAvgPool2d(side), nn.Flatten(), nn.Linear(4 * side**2, 2)
        return read(nn.Sequential(nn.Conv2d(1, 4, 1), *layers))

    source, target = flattening(3), flattening(2)
    hidden = group(target, "0.weight")
    assert scores(source, target).elements_at_stake(hidden) == {group(source, "0.weight"): 4 + 4}
    same = scores(flattening(2), target).elements_at_stake(hidden)
    assert list(same.values()) == [4 + 4 + 2 * 16]


# --- how much of a target other coupling must leave out to be worth a sentence --------------------


def left_out(size, rest):
    """What is said where a tensor of one size is coupled otherwise, and one of another is not."""
    tensors = {"one": SimpleNamespace(shape=(size,)), "two": SimpleNamespace(shape=(rest,))}
    draft = SimpleNamespace(
        target=SimpleNamespace(tensors=tensors, groups=()), heads=SimpleNamespace(classes=None)
    )
    return left_behind(draft, {"one": FOREIGN, "two": "another reason"})


def test_a_tenth_of_the_target_that_is_coupled_otherwise_is_worth_a_sentence():
    (sentence,) = left_out(10, 90)
    assert sentence.startswith("10% of the target is not inherited")
    assert "match='roles' (--match roles)" in sentence
    assert left_out(11, 90)
    assert left_out(999, 9001) == []
    assert left_out(0, 5) == []
