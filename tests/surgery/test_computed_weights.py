"""Convolutions whose weight is computed from others as the network runs."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import legatee
from legatee.surgery.network.catalog import read
from surgery_references import outputs, saved, scrambled, silence, spread


class Scaled(nn.Conv2d):
    """A convolution whose weight is multiplied by a gain for each channel."""

    def __init__(self, *args):
        super().__init__(*args)
        self.gain = nn.Parameter(torch.ones(self.out_channels, 1, 1, 1))

    def forward(self, x):
        return F.conv2d(x, self.weight * self.gain, self.bias)


class Standardised(Scaled):
    """A convolution whose weight is normalised, row by row, and scaled."""

    def forward(self, x):
        flat = self.weight.reshape(1, self.out_channels, -1)
        scale = self.gain.view(-1)
        flat = F.batch_norm(flat, None, None, weight=scale, training=True, momentum=0.0)
        return F.conv2d(x, flat.reshape_as(self.weight), self.bias)


def network(kind: type[nn.Conv2d], width: int, channels: int = 3) -> nn.Module:
    body = [kind(channels, width, 3), nn.ReLU(), kind(width, 5, 1), nn.ReLU()]
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4))


@pytest.mark.parametrize("match", [None, "roles"])
@pytest.mark.parametrize("kind", [Scaled, Standardised])
def test_a_computed_weight_is_inherited_with_what_it_is_computed_from(kind, match):
    source, target = network(kind, 12), network(kind, 8)
    plan = legatee.plan(source, target, match=match)
    body = {name: name for name in saved(target) if not name.startswith("6")}
    assert {move.target: move.source for move in plan.moves} == body


def test_scaled_channels_compute_what_they_computed():
    wide, narrow = scrambled(network(Scaled, 12), 1), scrambled(network(Scaled, 8), 2)
    silence(wide, {"0": spread(12, 8)})
    legatee.inherit(legatee.plan(wide, narrow), wide, narrow)
    features = [net[:5].double() for net in (wide, narrow)]
    given, expected = (outputs(net, (3, 8, 8)) for net in reversed(features))
    assert torch.allclose(given, expected)


def test_the_first_convolution_of_grey_images_is_known_by_its_weight():
    assert read(network(Scaled, 4, channels=1)).entrances == {"0.weight"}
