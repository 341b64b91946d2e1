"""A network is traced once for all of its architecture, and anew after any change of it."""

import gc
from types import MethodType
from weakref import ref

import pytest
import timm
import torch
from torch import Tensor, nn
from torchvision import models

from legatee.surgery.catalog import Catalog, read
from surgery_zoo import ZOO

IMAGE = torch.empty(1, 3, 32, 32, device="meta")


class Two(nn.Module):
    """Two layers side by side or one after the other, as an attribute says."""

    def __init__(self, *, apart: bool = True):
        super().__init__()
        self.apart = apart
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return [b, 6], or [b, 12] of layers side by side, of inputs [b, 6]."""
        if self.apart:
            return torch.cat([self.first(inputs), self.second(inputs)], 1)
        return self.second(self.first(inputs))


def in_a_row(network: Two, inputs: Tensor) -> Tensor:
    """Replace the method of the class above."""
    return network.second(network.first(inputs))


def coupled(catalog: Catalog) -> set[frozenset]:
    """Return what runs through the same axes."""
    return {frozenset(group.members) for group in catalog.groups}


@pytest.mark.parametrize("name", sorted(ZOO))
def test_a_network_built_again_is_not_traced_again(name):
    with torch.random.fork_rng():
        one, other = ZOO[name](8), ZOO[name](8)
    assert read(one) is read(other)


def test_a_real_network_built_again_is_not_traced_again():
    def built() -> nn.Module:
        return timm.create_model("vit_tiny_patch16_224")

    assert read(built()) is read(built())


def test_weights_do_not_make_another_architecture():
    network = models.resnet18()
    before = read(network)
    with torch.no_grad():
        network.conv1.weight.zero_()
    assert read(network) is before


def change_an_attribute(network: Two, patch: pytest.MonkeyPatch) -> None:
    network.apart = False


def replace_a_method(network: Two, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Two, "forward", in_a_row)


def replace_the_code(network: Two, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Two.forward, "__code__", in_a_row.__code__)


def replace_on_the_instance(network: Two, patch: pytest.MonkeyPatch) -> None:
    network.forward = MethodType(in_a_row, network)


def tie(network: Two, patch: pytest.MonkeyPatch) -> None:
    network.second.weight = network.first.weight


def hook(network: Two, patch: pytest.MonkeyPatch) -> None:
    network.register_forward_hook(lambda network, inputs, _: in_a_row(network, *inputs))


@pytest.mark.parametrize(
    "change",
    [
        change_an_attribute,
        replace_a_method,
        replace_the_code,
        replace_on_the_instance,
        tie,
        hook,
    ],
)
def test_a_change_is_traced_anew(change, monkeypatch):
    network = Two()
    before = read(network)
    assert ("second.weight", 1) not in {
        axis
        for group in before.groups
        for axis in group.members
        if ("first.weight", 0) in group.members
    }
    change(network, monkeypatch)
    after = read(network)
    assert after is not before
    assert coupled(after) != coupled(before)


def test_a_class_defined_anew_is_another_architecture():
    def defined(stride: int) -> nn.Module:
        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv = nn.Conv2d(3, 8, 3)

            def forward(self, inputs: Tensor) -> Tensor:
                return self.conv(inputs)[:, ::stride]

        return Net()

    assert read(defined(1), IMAGE) is not read(defined(2), IMAGE)


def test_another_input_is_another_trace():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    assert read(network, IMAGE) is read(network, torch.randn(5, 3, 32, 32))
    assert read(network, IMAGE) is not read(network, IMAGE[:, :, :16])


def test_what_cannot_be_written_down_is_traced_every_time():
    network = Two()
    network.scale = torch.ones(6)  # its numbers may decide anything
    first, second = read(network), read(network)
    assert first is not second
    assert coupled(first) == coupled(second)


def of_a_dropped_network(*, captured: bool) -> ref:
    """Catalogue a network, then let go of it."""
    network = nn.Linear(7, 5)
    if captured:
        network.register_forward_hook(lambda *_: network.extra_repr() and None)
    read(network)
    return ref(network.weight)


@pytest.mark.parametrize("captured", [False, True], ids=["alone", "captured by its own hook"])
def test_what_is_remembered_keeps_no_weights(captured):
    weight = of_a_dropped_network(captured=captured)
    gc.collect()
    assert weight() is None
