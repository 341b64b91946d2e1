"""Catalogues as text: which blocks a line stands for can be told, and heads are called heads."""

import pytest
import timm
import torch
from torch import nn

from legatee.surgery.network.catalog import read
from legatee.surgery.network.listing import folded, listing


def lines(name: str, **options) -> list[str]:
    with torch.device("meta"):
        network = timm.create_model(name, **options)
    return [" ".join(line.split()) for line in listing(read(network)).splitlines()]


def test_the_heads_of_an_attention_are_called_heads():
    rows = lines("vit_tiny_patch16_224")
    heads = "axis 0 of blocks.0..11.attn.qkv; axis 1 of blocks.0..11.attn.proj"
    assert f"3 heads, 12 times {heads}" in rows
    hidden = "axis 0 of blocks.0..11.mlp.fc1; axis 1 of blocks.0..11.mlp.fc2"
    assert f"768 hidden, 12 times {hidden}" in rows
    assert "blocks.0..11.norm1.weight, 12 times 192 channel" in rows
    assert not any("*" in row for row in rows)


def test_lines_of_an_efficientnet_say_which_blocks_they_are_about():
    rows = lines("tf_efficientnet_lite0")
    (row,) = [row for row in rows if row.startswith("24 hidden")]
    assert row == (
        "24 hidden axis 0 of blocks.1.0..1.conv_pwl, blocks.1.0..1.bn3; axis 1 of "
        "blocks.1.1.conv_pw, blocks.2.0.conv_pw"
    )
    assert len(set(rows)) == len(rows)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a.0", "a.1", "a.2"], ["a.0..2"]),
        (["a.2", "a.0", "a.1"], ["a.0..2"]),
        (["a.0", "a.2", "a.3"], ["a.0", "a.2..3"]),
        (["a.9", "a.10"], ["a.9..10"]),
        (["a.0.w", "b.0.w", "a.1.w"], ["a.0..1.w", "b.0.w"]),
        (["a.1.0", "a.1.1", "a.2.0"], ["a.1.0..1", "a.2.0"]),
        (["a.1.x.0", "a.1.x.2", "a.2.x.0", "a.2.x.2"], ["a.1..2.x.0", "a.1..2.x.2"]),
        (["conv1.w", "conv2.w"], ["conv1.w", "conv2.w"]),
        (["0", "1"], ["0..1"]),
        ([], []),
    ],
)
def test_names_are_folded_only_over_numbers_without_a_gap(names, expected):
    assert folded(names) == expected


def test_a_scalar_and_a_network_without_groups_are_listed():
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    text = listing(read(network, torch.zeros(1, 1, 4, 4)))
    assert text.splitlines()[0] == "7 tensors, 7 elements, 0 channel groups"
    assert "1.num_batches_tracked  scalar" in text
    assert "runs through" not in text
