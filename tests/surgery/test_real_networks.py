"""Networks of torchvision and timm are followed as they are, without weights."""

from collections import Counter

import pytest
import timm
import torch
from torch import nn
from torchvision import models

import legatee
from legatee.surgery.network.catalog import Catalog, read
from surgery_references import positions, spread


def torchvision(name: str) -> nn.Module:
    options = {"weights_backbone": None} if "deeplab" in name else {}
    return models.get_model(name, weights=None, **options)


def meta(name: str) -> nn.Module:
    with torch.device("meta"):
        return timm.create_model(name[5:]) if name.startswith("timm:") else torchvision(name)


HEADS = {  # attention heads of each block, as the papers have them
    "vit_b_32": Counter({12: 12}),
    "timm:deit_tiny_distilled_patch16_224": Counter({3: 12}),
    "swin_t": Counter({3: 2, 6: 2, 12: 6, 24: 2}),
    "timm:eva02_tiny_patch14_336": Counter({3: 12}),  # rotary positions
    "timm:swin_tiny_patch4_window7_224": Counter({3: 2, 6: 2, 12: 6, 24: 2}),
}
OTHERS = ["efficientnet_b0", "timm:convnext_atto", "mobilenet_v3_large", "deeplabv3_resnet50"]


def attention_heads(catalog: Catalog) -> Counter[int]:
    """Sizes of the groups that run through a matrix of queries, keys and values."""
    return Counter(
        group.size
        for group in catalog.groups
        if any(("qkv" in n or "in_proj" in n) and axis == 0 for n, axis in group.members)
    )


@pytest.mark.parametrize("name", [*HEADS, *OTHERS])
def test_a_real_network_is_followed(name):
    catalog = read(meta(name))
    assert attention_heads(catalog) == HEADS.get(name, Counter())
    assert {group.role for group in catalog.groups} == {"input", "hidden", "class"}
    assert catalog.unknown == frozenset() or name == "deeplabv3_resnet50"
    assert legatee.plan(catalog, catalog).inherited_fraction == 1.0


def test_windows_that_are_shifted_do_not_mix_heads():
    """A mask that varies from window to window lies along the same axis as the heads."""
    catalog = read(meta("timm:swin_tiny_patch4_window7_224"))
    sizes = [
        group.members[name, axis].shape
        for group in catalog.groups
        for name, axis in group.members
        if name.endswith("relative_position_bias_table")
    ]
    assert sizes == [(heads, 1) for heads in (3, 3, 6, 6, *[12] * 6, 24, 24)]


def test_layers_know_the_stage_they_stand_in():
    levels = {
        use.reads["weight"]: use.level
        for use in read(meta("mobilenet_v3_large")).uses
        if use.kind == "convolution" and not use.pooled
    }
    assert levels["features.0.0.weight"] == 1
    assert levels["features.16.0.weight"] == 5
    with torch.device("meta"):
        resnet = models.resnet18()
    found = {u.reads["weight"]: u.level for u in read(resnet).uses if u.kind == "convolution"}
    expected = {"conv1": 1} | {f"layer{i}.1.conv2": i + 1 for i in range(1, 5)}
    assert {n: found[f"{n}.weight"] for n in expected} == expected


class Filled(nn.Module):
    """Fills a tensor part by part: what lies where cannot be told from its parts."""

    def __init__(self, width: int):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, width, 1), nn.Conv2d(2 * width, 4, 1)

    def forward(self, x):
        y = self.one(x)
        both = torch.zeros(len(x), 2 * y.shape[1], *x.shape[2:], device=x.device)
        both[:, : y.shape[1]] = y
        both[:, y.shape[1] :] = y
        return self.two(both)


def test_channels_are_followed_through_a_tensor_that_is_filled_part_by_part():
    """Channel n of the first layer is read at n and at n + width of the second."""
    plan = legatee.plan(Filled(6), Filled(4), class_map={n: n for n in range(4)})
    moves = {move.target: move for move in plan.moves}
    kept = positions(moves["one.weight"].take[0])
    assert kept == spread(6, 4)
    assert sorted(positions(moves["two.weight"].take[1])) == [*kept, *(6 + n for n in kept)]
