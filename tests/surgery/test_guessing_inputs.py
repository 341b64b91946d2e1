"""Inputs that nobody gave: of the size that a network is made for, in the type of its weights."""

import pytest
import timm
import torch
from torch import nn
from torchvision import models

import legatee
from legatee.surgery.network.catalog import read

TINY = {"patch_size": 10, "depth": 1, "embed_dim": 8, "num_heads": 2}


def plain_vit(side: int) -> nn.Module:
    sizes = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 16}
    return models.VisionTransformer(image_size=side, patch_size=10, **sizes)


@pytest.mark.parametrize(
    "make",
    [
        lambda: timm.create_model("vit_tiny_patch16_224", img_size=100, **TINY),
        lambda: timm.create_model("vit_tiny_patch16_224", img_size=(100, 60), **TINY),
        lambda: plain_vit(100),
    ],
    ids=["timm", "timm, oblong", "torchvision"],
)
def test_images_have_the_size_that_a_network_is_made_for(make):
    with torch.device("meta"):
        network = make()
    assert any(group.role == "class" for group in read(network).groups)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)),
        lambda: nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)),
    ],
    ids=["images", "vectors"],
)
def test_inputs_have_the_type_of_the_first_layer(make, dtype):
    narrow, usual = make().to(dtype), make()
    assert [group.members.keys() for group in read(narrow).groups] == [
        group.members.keys() for group in read(usual).groups
    ]
    assert legatee.plan(narrow, usual, alpha=0.5).moves


def test_data_of_another_precision_than_the_weights_is_what_channels_are_followed_with():
    def made() -> nn.Module:  # no guess is as small as what this network accepts
        layers = (nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 3 * 7, 2))
        return nn.Sequential(*layers)

    images = torch.zeros(1, 3, 5, 9)
    found = read(made().to(torch.bfloat16), images)
    assert {(g.size, g.role) for g in found.groups} == {
        (g.size, g.role) for g in read(made(), images).groups
    }
