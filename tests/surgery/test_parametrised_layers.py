"""Layers whose weight is made of other tensors, as PyTorch's parametrisations make them."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, weight_norm

import legatee
from legatee.surgery.network.catalog import read, read_tensors
from surgery_references import outputs, positions, spread


def old_weight_norm(layer: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return weight_norm(layer)


def network(norm: Callable[[nn.Module], nn.Module], width: int) -> nn.Module:
    """Two normed layers and a normed head."""
    layers = [norm(nn.Conv2d(3, width, 3)), nn.ReLU(), norm(nn.Conv2d(width, 6, 1)), nn.ReLU()]
    return nn.Sequential(*layers, norm(nn.Conv2d(6, 4, 1)))


NORMS = {
    "parametrised": parametrizations.weight_norm,
    "hooked": old_weight_norm,
}


@pytest.mark.parametrize("name", NORMS)
def test_directions_and_lengths_are_inherited_together(name):
    wide, narrow = (network(NORMS[name], width) for width in (12, 8))
    plan = legatee.plan(wide, narrow)
    moves = {move.target: move for move in plan.moves}
    first = [n for n in narrow.state_dict() if n.startswith("0.")]
    assert len(first) == 3  # lengths, directions, bias
    assert [positions(moves[n].take[0]) for n in first] == [spread(12, 8)] * 3
    columns = [positions(m.take[1]) for n, m in moves.items() if n[0] == "2" and len(m.take) > 1]
    assert spread(12, 8) in columns
    assert not any(n.startswith("4.") for n in moves), "the head"


@pytest.mark.parametrize("name", NORMS)
def test_inherited_channels_of_a_normed_layer_compute_what_they_computed(name):
    wide, narrow = (network(NORMS[name], width) for width in (12, 8))
    legatee.inherit(legatee.plan(wide, narrow), wide, narrow)
    expected, given = (outputs(net[:2], (3, 8, 8)) for net in (wide, narrow))
    assert torch.allclose(given, expected[:, spread(12, 8)])


def test_what_parametrises_a_tensor_belongs_to_its_module():
    network = nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 4)))
    pieces = [f"0.parametrizations.weight.original{i}" for i in (0, 1)]
    assert read(network).modules == {"0": ["0.bias", *pieces]}
    alone = parametrizations.spectral_norm(nn.Linear(3, 4))
    assert list(read_tensors(alone).modules) == [""]


def test_channels_are_followed_through_a_spectral_norm():
    wide, narrow = (network(parametrizations.spectral_norm, width) for width in (12, 8))
    plan = legatee.plan(wide, narrow)
    assert {move.target[0] for move in plan.moves} == {"0", "2", "4"}
    assert not any("cannot be traced" in warning for warning in plan.warnings)


# --- what modules save beside their tensors -------------------------------------------------------


class Recipe(nn.Linear):
    """A layer of 8-bit numbers keeps a recipe in its state, as a dictionary or as bytes."""

    as_bytes = False

    def get_extra_state(self):
        return torch.zeros(3, dtype=torch.uint8) if self.as_bytes else {"margin": 0}

    def set_extra_state(self, state):
        pass


class Bytes(Recipe):
    as_bytes = True


@pytest.mark.parametrize("source_kind", [nn.Linear, Recipe, Bytes])
@pytest.mark.parametrize("target_kind", [nn.Linear, Recipe, Bytes])
def test_what_a_module_saves_beside_its_tensors_stays_where_it_is(source_kind, target_kind):
    def network(kind: type[nn.Linear], width: int) -> nn.Module:
        layers = nn.Linear(6, width), nn.ReLU(), kind(width, width), nn.ReLU(), nn.Linear(width, 3)
        return nn.Sequential(*layers)

    source, target = network(source_kind, 8), network(target_kind, 4)
    plan = legatee.plan(source, target, rule="first")
    assert not any("_extra_state" in entry.target for entry in plan.entries)
    for state in (source, source.state_dict()):
        nn.init.zeros_(target[2].weight)
        legatee.inherit(plan, state, target)
        assert torch.equal(target[2].weight, source[2].weight[:4, :4])
