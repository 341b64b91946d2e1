"""Axes of another size: which can be resized, which kernels can grow, and how a plan says it."""

import pytest
import torch
from torch import nn

import legatee
from legatee.plans.moves import Blend
from legatee.surgery.network.catalog import TensorInfo
from legatee.surgery.planning.resize import channel_blend, grid_blend, grows


@pytest.mark.parametrize(
    ("available", "wanted", "tokens"),
    [
        (196, 49, 0),
        (197, 50, 1),
        (198, 51, 2),
        (201, 54, 5),
        (4, 9, 0),
        (9, 4, 0),
        (5, 10, 1),
        (6, 11, 2),
        (9, 14, 5),
        (196, 50, None),  # tokens in one network alone
        (199, 52, None),  # three tokens are not known
        (1, 4, None),  # one position is no grid
        (2, 5, None),
        (4, 1, None),
        (8, 15, None),
        (0, 0, None),
    ],
)
def test_positions_are_resized_where_both_are_square_grids_behind_the_same_tokens(
    available, wanted, tokens
):
    expected = None if tokens is None else Blend(axis=1, how="bicubic", lead=tokens)
    assert grid_blend(1, available, wanted) == expected


@pytest.mark.parametrize(("wanted", "how"), [(1, "sum"), (2, "cycle"), (3, "cycle")])
def test_input_channels_are_summed_to_one_and_repeated_otherwise(wanted, how):
    assert channel_blend(1, wanted) == Blend(axis=1, how=how)


def kernel(size, role="kernel"):
    return TensorInfo(
        name="weight",
        shape=(4, 4, size),
        dtype="float32",
        trainable=True,
        axis_roles=("out", "in", role),
    )


@pytest.mark.parametrize(
    ("large", "small", "fits"),
    [
        (3, 1, True),
        (5, 3, True),
        (3, 3, False),
        (1, 3, False),
        (4, 1, False),
        (4, 2, False),
        (3, 2, False),
    ],
)
def test_an_odd_kernel_fits_into_a_larger_odd_one(large, small, fits):
    assert grows(kernel(large), kernel(small), 2) is fits


def test_only_kernels_grow():
    assert not grows(kernel(3, role="unknown"), kernel(1), 2)
    assert not grows(kernel(3), kernel(1, role="unknown"), 2)
    assert not grows(kernel(3, role="unknown"), kernel(1, role="unknown"), 2)


class Tokens(nn.Module):
    """A small vision transformer without its blocks: patches, tokens, positions and a head."""

    def __init__(self, side, lead=1, channels=3):
        super().__init__()
        self.patches = nn.Conv2d(channels, 8, 2, 2)
        self.tokens = nn.ParameterList(torch.randn(1, 1, 8) for _ in range(lead))
        self.positions = nn.Parameter(torch.randn(1, lead + side * side, 8))
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        if self.tokens:
            x = torch.cat([*(token.expand(len(x), -1, -1) for token in self.tokens), x], 1)
        return self.head(self.norm(x + self.positions).mean(1))


def warnings(source, target, pixels):
    """What is said of a plan; each network is traced at its own image size."""
    catalogs = (
        legatee.catalog(network, torch.zeros(1, channels, side, side))
        for network, (channels, side) in zip((source, target), pixels, strict=True)
    )
    return legatee.plan(*catalogs).warnings


@pytest.mark.parametrize(
    ("lead", "end"),
    [
        (0, "(bicubic)"),
        (1, "(bicubic); the first 1 are copied"),
        (5, "(bicubic); the first 5 are copied"),
    ],
)
def test_resized_positions_are_named_with_both_grids(lead, end):
    said = warnings(Tokens(4, lead), Tokens(3, lead), [(3, 8), (3, 6)])
    assert [f"'positions': 4x4 positions are resized to 3x3 {end}"] == [
        sentence for sentence in said if "positions" in sentence
    ]


@pytest.mark.parametrize(
    ("have", "want", "sentence"),
    [
        (3, 1, "'patches.weight': 3 input channels are summed to one"),
        (3, 4, "'patches.weight': 3 input channels are repeated in turn to fill 4, rescaled"),
        (1, 3, "'patches.weight': 1 input channels are repeated in turn to fill 3, rescaled"),
    ],
)
def test_other_input_channels_are_named_with_both_numbers(have, want, sentence):
    said = warnings(Tokens(4, 1, have), Tokens(4, 1, want), [(have, 8), (want, 8)])
    assert sentence in said


def test_two_axes_of_another_size_are_not_resized_at_once():
    source, target = Tokens(4, 1), Tokens(3, 1, channels=1)
    said = warnings(source, target, [(3, 8), (1, 6)])
    assert sum("resized" in one for one in said) == sum("summed" in one for one in said) == 1
