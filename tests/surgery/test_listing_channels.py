"""Channels that a user lists, channels that a rule picks, and what a rule may return."""

import numpy as np
import pytest
import torch
from torch import nn

import legatee
from legatee.errors import TransferError
from legatee.surgery.network.catalog import read
from legatee.surgery.planning.channels import listed_channels
from surgery_references import positions


def mlp(width):
    return nn.Sequential(
        nn.Linear(5, width), nn.ReLU(), nn.Linear(width, width), nn.Linear(width, 3)
    )


def taken(plan, name="0.weight"):
    (move,) = [move for move in plan.moves if move.target == name]
    return positions(move.take[0])


CATALOG = read(mlp(6))


def test_a_layer_is_named_by_its_module_or_by_its_tensor():
    by_module = listed_channels(CATALOG, {"0": [5, 0]})
    assert by_module == listed_channels(CATALOG, {"0.weight": [5, 0]})
    assert by_module == listed_channels(CATALOG, {"0.bias": (5, 0)})
    assert list(by_module.values()) == [(5, 0)]


@pytest.mark.parametrize("channels", [[6], [-1], [0, 6], [2, 2]])
def test_channels_are_different_numbers_from_0_to_one_less_than_there_are(channels):
    with pytest.raises(TransferError, match=r"for '0'; expected different numbers from 0 to 5"):
        listed_channels(CATALOG, {"0": channels})
    assert listed_channels(CATALOG, {"0": range(6)})


@pytest.mark.parametrize(
    ("channels", "text"),
    [([9], r"\[9\]"), ([*range(6), 0], r"\[0, 1, 2, 3, 4, 5, \.\.\.\]")],
)
def test_at_most_six_wrong_channels_are_written(channels, text):
    with pytest.raises(TransferError, match=rf"rule lists channels {text} for '0'"):
        listed_channels(CATALOG, {"0": channels})


def test_six_wrong_channels_are_all_written():
    with pytest.raises(TransferError, match=r"\[0, 1, 2, 3, 4, 4\] for"):
        listed_channels(CATALOG, {"0": [0, 1, 2, 3, 4, 4]})


@pytest.mark.parametrize("layer", ["1", "nowhere", "0.nothing"])
def test_what_has_no_channels_of_its_own_cannot_be_listed(layer):
    with pytest.raises(TransferError, match=rf"for '{layer}', which is no layer of the source"):
        listed_channels(CATALOG, {layer: [0]})


def test_layers_that_share_channels_may_list_the_same_ones_only():
    network = nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    catalog = read(network)
    assert len(listed_channels(catalog, {"0": [1, 2], "1": [1, 2]})) == 1
    with pytest.raises(TransferError, match="different channels for '0' and '1', which share"):
        listed_channels(catalog, {"0": [1, 2], "1": [2, 1]})


def test_as_many_channels_as_the_target_has_may_be_listed_and_fewer_and_no_more():
    for channels in ([4, 1, 0], [2]):
        assert taken(legatee.plan(mlp(6), mlp(3), rule={"0": channels})) == channels
    with pytest.raises(TransferError, match=r"lists 4 channels for '0\.weight', which has 3"):
        legatee.plan(mlp(6), mlp(3), rule={"0": [0, 1, 2, 3]})


def test_listed_channels_are_never_said_to_be_unscored():
    plan = legatee.plan(mlp(6), mlp(3), rule={"0": [0, 1, 2], "2": [3, 4, 5]})
    assert not any("could not score" in warning for warning in plan.warnings)


def scores_of(values):
    return lambda network, catalog, data: [
        None if group.role != "hidden" else values(group.size) for group in catalog.groups
    ]


@pytest.mark.parametrize(
    "values",
    [
        lambda n: np.arange(n),
        lambda n: torch.arange(n, dtype=torch.bfloat16, requires_grad=False),
        lambda n: torch.arange(float(n)).requires_grad_(),
        lambda n: list(range(n)),
    ],
    ids=["array", "tensor", "with gradient", "list"],
)
def test_scores_may_be_arrays_tensors_or_lists_and_the_highest_are_taken(values):
    plan = legatee.plan(mlp(6), mlp(3), rule=scores_of(values))
    assert taken(plan) == [3, 4, 5]
    assert not any("could not score" in warning for warning in plan.warnings)


def test_channels_without_a_score_are_not_taken():
    plan = legatee.plan(
        mlp(6), mlp(3), rule=scores_of(lambda n: np.where(np.arange(n) == 2, 1.0, np.nan))
    )
    assert taken(plan) == [2]


def test_several_groups_that_cannot_be_scored_are_counted():
    plan = legatee.plan(mlp(6), mlp(3), rule=lambda network, catalog, data: [None] * 4)
    (said,) = [warning for warning in plan.warnings if "could not score" in warning]
    assert "the channels of 2 source groups; evenly spaced channels" in said


def test_the_share_is_of_the_target_and_never_more_than_the_source_has():
    assert len(taken(legatee.plan(mlp(12), mlp(6), alpha=0.5))) == 3
    assert len(taken(legatee.plan(mlp(2), mlp(6), alpha=0.5))) == 2
    assert len(taken(legatee.plan(mlp(2), mlp(6)))) == 2


def test_rules_that_choose_by_number_need_neither_weights_nor_data():
    catalogs = read(mlp(6)), read(mlp(3))
    assert taken(legatee.plan(*catalogs, rule="first")) == [0, 1, 2]
    assert taken(legatee.plan(*catalogs, rule="uniform")) == [0, 2, 4]
    with pytest.raises(TransferError, match="needs the weights of the source"):
        legatee.plan(*catalogs, rule=scores_of(np.arange))
