"""A network of libraries is traced once for all of its architecture, and anew after any change."""

import gc
from types import MethodType
from weakref import ref

import pytest
import timm
import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models import resnet, shufflenetv2

import legatee
from legatee.surgery.network.catalog import Catalog, read

IMAGE = torch.empty(1, 3, 32, 32, device="meta")
KINDS = {
    "timm": lambda: timm.create_model("vit_tiny_patch16_224"),
    "torchvision": models.resnet18,
    "legatee": lambda: legatee.build(
        "resnet:depth=8,width=8", num_classes=3, input_shape=(3, 32, 32)
    ),
    "torch": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3)),
}


def coupled(catalog: Catalog) -> set[frozenset]:
    """Return what runs through the same axes."""
    return {frozenset(group.members) for group in catalog.groups}


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_built_again_is_not_traced_again(kind):
    assert read(KINDS[kind]()) is read(KINDS[kind]())


def test_weights_do_not_make_another_architecture():
    network = models.resnet18()
    before = read(network)
    with torch.no_grad():
        network.conv1.weight.zero_()
    assert read(network) is before


def plain(block: nn.Module, inputs: Tensor) -> Tensor:
    """Run a residual block without its shortcut."""
    out = block.bn1(block.conv1(inputs))
    return block.bn2(block.conv2(out))


def replace_a_method(network: nn.Module, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(resnet.BasicBlock, "forward", plain)


def replace_the_code(network: nn.Module, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(resnet.BasicBlock.forward, "__code__", plain.__code__)


def replace_on_the_instance(network: nn.Module, patch: pytest.MonkeyPatch) -> None:
    network.layer1[0].forward = MethodType(plain, network.layer1[0])


def exchange_a_module(network: nn.Module, patch: pytest.MonkeyPatch) -> None:
    network.layer1[0] = nn.Conv2d(64, 64, 1)


def tie(network: nn.Module, patch: pytest.MonkeyPatch) -> None:
    network.layer1[0].conv1.weight = network.layer1[0].conv2.weight


def hook(network: nn.Module, patch: pytest.MonkeyPatch) -> None:
    network.layer1[0].register_forward_hook(
        lambda block, _, out: out + block.bn1.weight[:, None, None]
    )


@pytest.mark.parametrize(
    "change",
    [
        replace_a_method,
        replace_the_code,
        replace_on_the_instance,
        exchange_a_module,
        tie,
        hook,
    ],
)
def test_a_change_is_traced_anew(change, monkeypatch):
    network = models.resnet18()
    before = read(network)
    change(network, monkeypatch)
    assert coupled(read(network)) != coupled(before)


def test_a_replaced_function_of_a_library_is_traced_anew(monkeypatch):
    network = models.shufflenet_v2_x0_5()
    before = read(network)
    monkeypatch.setattr(shufflenetv2, "channel_shuffle", lambda x, groups: x)
    assert coupled(read(network)) != coupled(before)


class Own(nn.Module):
    """What a user writes: it calls what may change while the program runs."""

    apart = False

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what both layers make of inputs [b, 6]."""
        return mixed(self.first(inputs), self.second(inputs))


def mixed(one: Tensor, other: Tensor) -> Tensor:
    return torch.cat([one, other], 1) if Own.apart else one + other


def test_what_a_user_wrote_is_traced_every_time(monkeypatch):
    network = Own()
    together = coupled(read(network))
    monkeypatch.setattr(Own, "apart", True)
    assert coupled(read(network)) != together
    monkeypatch.setitem(globals(), "mixed", torch.add)
    assert coupled(read(network)) == together


def test_another_input_is_another_trace():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    assert read(network, IMAGE) is read(network, torch.randn(5, 3, 32, 32))
    assert read(network, IMAGE) is not read(network, IMAGE[:, :, :16])


def test_what_cannot_be_written_down_is_traced_every_time():
    network = nn.Linear(6, 6)
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
