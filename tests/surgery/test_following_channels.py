"""Catalogues of small networks, written down by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from legatee.errors import TraceError, TransferError
from legatee.surgery.network.catalog import read, read_tensors
from legatee.surgery.network.state import architecture_digest, state
from legatee.surgery.planning.match import match_groups, match_tensors
from surgery_references import differing, saved, scrambled, snapshot
from surgery_zoo import REAL, ZOO, Untraceable, cnn


def members(network: nn.Module, role: str = "hidden", **options) -> list[set[tuple[str, int]]]:
    groups = read(network, **options).groups
    return sorted((set(g.members) for g in groups if g.role == role), key=sorted)


def test_a_chain_has_a_group_between_each_two_layers():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 1), nn.Conv2d(5, 2, 1))
    assert members(network) == [
        {("0.weight", 0), ("0.bias", 0), ("2.weight", 1)},
        {("2.weight", 0), ("2.bias", 0), ("3.weight", 1)},
    ]


def test_the_input_and_the_classes_have_roles_of_their_own():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    assert members(network, "input") == [{("0.weight", 1)}]
    assert members(network, "class") == [{("2.weight", 0), ("2.bias", 0)}]


def test_a_sum_joins_channels():
    network = ZOO["broadcast"](4)
    (group,) = members(network, example=torch.zeros(1, 3, 8, 8))
    assert group == {
        ("shift", 1),
        ("scale", 0),
        ("stem.weight", 0),
        ("stem.bias", 0),
        ("inner.weight", 0),
        ("inner.weight", 1),
        ("inner.bias", 0),
        ("head.weight", 1),
    }


def test_normalisation_belongs_to_the_channels_it_normalises():
    (group,) = members(nn.Sequential(nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)))
    norm = {(f"1.{n}", 0) for n in ("weight", "bias", "running_mean", "running_var")}
    assert group == norm | {("0.weight", 0), ("0.bias", 0), ("2.weight", 1)}


def test_a_concatenation_lays_groups_side_by_side():
    groups = [g for g in read(ZOO["concat"](2)).groups if ("norm.weight", 0) in g.members]
    laid = {  # right (4 channels), stem (2), left (2)
        next(n for n, axis in g.members if n.endswith("bias") and n != "norm.bias"): [
            int(i) for i in g.members["norm.weight", 0][:, 0]
        ]
        for g in groups
    }
    assert laid == {"right.bias": [0, 1, 2, 3], "stem.bias": [4, 5], "left.bias": [6, 7]}


def test_a_flattened_channel_covers_its_positions_in_the_linear_layer():
    groups = read(ZOO["flat"](3)).groups
    (group,) = [g for g in groups if ("mix.weight", 1) in g.members]
    expected = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert np.array_equal(group.members["mix.weight", 1], expected)


def test_a_depthwise_convolution_keeps_channels_apart():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, groups=4), nn.ReLU(), nn.Conv2d(4, 2, 1)
    )
    groups = [g for g in read(network).groups if ("1.weight", 0) in g.members]
    assert [(g.size, ("0.weight", 0) in g.members) for g in groups] == [(4, True)]


def test_a_grouped_convolution_makes_channels_of_one_group_stand_or_fall_together():
    network = nn.Sequential(
        nn.Conv2d(3, 6, 1), nn.Conv2d(6, 4, 3, groups=2), nn.ReLU(), nn.Conv2d(4, 2, 1)
    )
    (group,) = [g for g in read(network).groups if ("1.weight", 0) in g.members]
    assert group.size == 2
    assert np.array_equal(group.members["1.weight", 0], [[0, 1], [2, 3]])
    assert np.array_equal(group.members["0.weight", 0], [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("name", sorted(set(ZOO) - {"broadcast", "normed"}))
def test_every_axis_of_a_group_is_covered_once(name):
    """The members of all groups along an axis are its positions, each once."""
    catalog = read(ZOO[name](8))
    covered: dict[tuple[str, int], list[int]] = {}
    for group in catalog.groups:
        for place, positions in group.members.items():
            assert positions.shape[0] == group.size
            covered.setdefault(place, []).extend(int(i) for i in positions.reshape(-1))
    for (tensor, axis), positions in covered.items():
        assert sorted(positions) == list(range(catalog.tensors[tensor].shape[axis]))


@pytest.mark.parametrize("name", ["cnn", "tied", "counters", "nonpersistent"])
def test_the_tensors_are_those_of_the_state_ties_once(name):
    network = cnn("4-6") if name == "cnn" else ZOO[name](4)
    expected = {
        n: (tuple(t.shape), str(t.dtype).removeprefix("torch."), isinstance(t, nn.Parameter))
        for n, t in saved(network).items()
    }
    assert expected == {
        n: (tuple(i.shape), i.dtype, i.trainable) for n, i in read(network).tensors.items()
    }


def test_the_state_is_alive():
    network = cnn("4-6")
    assert state(network)["head.bias"].data_ptr() == network.head.bias.data_ptr()


def test_a_frozen_parameter_is_still_one():
    network = cnn("4-6").requires_grad_(False)
    assert read(network).tensors["head.weight"].trainable


@pytest.mark.parametrize("name", ["cnn", "concat", "squeeze", "tied"])
def test_reading_changes_nothing(name):
    network = scrambled(cnn("4-6") if name == "cnn" else ZOO[name](4), 1)
    before = snapshot(network)
    read(network)
    assert differing(before, snapshot(network)) == []


def test_a_digest_depends_on_the_architecture_alone():
    one, other = scrambled(cnn("4-6"), 1), scrambled(cnn("4-6"), 2)
    assert read(one).digest == read(other).digest == architecture_digest(state(one))


@pytest.mark.parametrize(
    "other",
    [lambda: cnn("4-7"), lambda: cnn("4-6", classes=5), lambda: cnn("4-6").half()],
    ids=["width", "classes", "type"],
)
def test_digests_of_other_architectures_differ(other):
    assert architecture_digest(state(other())) != architecture_digest(state(cnn("4-6")))


def test_real_networks_have_digests_of_their_own():
    with torch.device("meta"):
        digests = {architecture_digest(state(REAL[name]())) for name in ("resnet18", "resnet34")}
    assert len(digests) == 2


def test_a_network_that_does_not_run_cannot_be_read():
    with pytest.raises(TraceError):
        read(Untraceable(4))


def test_tensors_are_read_where_channels_cannot_be_followed():
    catalog = read_tensors(Untraceable(4))
    assert list(catalog.tensors) == ["layer.weight", "layer.bias", "head.weight", "head.bias"]
    assert catalog.groups == ()


def test_a_network_without_weights_cannot_be_read():
    with pytest.raises(TraceError):
        read(nn.ReLU())


# --- matching -------------------------------------------------------------------------------------


def test_equal_names_match_in_the_order_of_the_target():
    small, large = cnn("4"), cnn("4-6")
    tensors = match_tensors(read(large), read(small), None).tensors
    assert list(tensors.items()) == [(name, name) for name in saved(small)]


def test_an_explicit_match_leaves_out_all_else():
    catalog = read(cnn("4-6"))
    tensors = match_tensors(catalog, catalog, {"head": "head"}).tensors
    assert tensors == {"head.weight": "head.weight", "head.bias": "head.bias"}


def test_an_explicit_match_of_nothing_is_refused():
    catalog = read(cnn("4-6"))
    with pytest.raises(TransferError, match="tail"):
        match_tensors(catalog, catalog, {"tail": "head"})


@pytest.mark.parametrize("name", ["concat", "squeeze", "flat", "gated", "transposed"])
def test_a_group_is_matched_with_the_one_of_the_same_members(name):
    source, target = read(ZOO[name](12)), read(ZOO[name](8))
    groups = match_groups(source, target, {tensor: tensor for tensor in target.tensors})
    for number, group in enumerate(target.groups):
        assert set(source.groups[groups[number]].members) == set(group.members)


def test_a_group_is_matched_with_one_of_its_role():
    source, target = read(cnn("4-6")), read(cnn("3-4"))
    groups = match_groups(source, target, {tensor: tensor for tensor in target.tensors})
    roles = [(target.groups[t].role, source.groups[s].role) for t, s in groups.items()]
    assert {role for role in roles} == {(role, role) for role in ("class", "hidden", "input")}
    assert len(roles) == len(target.groups)
