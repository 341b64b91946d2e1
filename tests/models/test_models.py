import sys

import pytest
import torch
from torch import nn

import legatee
from legatee.errors import LegateeError, UnknownNameError
from legatee.models.build import blank, build, describe


def outputs(network: nn.Module, shape: tuple[int, int, int]) -> tuple[int, ...]:
    with torch.inference_mode():
        return tuple(network.eval()(torch.zeros(2, *shape)).shape)


def conv(inputs: int, outputs: int, side: int = 3) -> int:
    """Weights of a convolution without bias, and the two of each channel's normalisation."""
    return inputs * outputs * side**2 + 2 * outputs


@pytest.mark.parametrize(
    ("spec", "shape", "name", "expected"),
    [
        (
            "cnn:widths=16-32",
            (1, 16, 16),
            "Cnn",
            conv(1, 16) + conv(16, 16) + conv(16, 32) + conv(32, 32) + 32 * 5 + 5,
        ),
        ("cnn:widths=7", (3, 9, 5), "Cnn", conv(3, 7) + conv(7, 7) + 7 * 5 + 5),
        (
            "resnet:depth=8,width=6",
            (2, 16, 16),
            "ResNet",
            conv(2, 6)
            + 2 * conv(6, 6)
            + (conv(6, 12) + conv(12, 12) + conv(6, 12, side=1))
            + (conv(12, 24) + conv(24, 24) + conv(12, 24, side=1))
            + 24 * 5
            + 5,
        ),
    ],
)
def test_the_built_in_networks_have_the_weights_counted_by_hand(spec, shape, name, expected):
    network = build(spec, num_classes=5, input_shape=shape)
    assert describe(network) == f"{name}, {expected:,} parameters"
    assert outputs(network, shape) == (2, 5)


@pytest.mark.parametrize("depth", [8, 14, 20])
def test_a_resnet_is_as_deep_as_it_says(depth):
    network = build(f"resnet:depth={depth},width=4", num_classes=3, input_shape=(1, 8, 8))
    path = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    assert sum(getattr(m, "kernel_size", None) != (1, 1) for m in path) == depth


def test_a_resnet_halves_the_image_at_its_second_and_third_stage():
    network = build("resnet:depth=14,width=4", num_classes=3, input_shape=(1, 16, 16))
    shapes, images = [], torch.zeros(1, 4, 16, 16)
    for block in network.blocks:
        images = block(images)
        shapes.append(tuple(images.shape[1:]))
    assert shapes == [(4, 16, 16)] * 2 + [(8, 8, 8)] * 2 + [(16, 4, 4)] * 2


def test_the_defaults():
    for short, long in (("cnn", "cnn:widths=16-32"), ("resnet", "resnet:depth=8,width=16")):
        networks = [build(s, num_classes=2, input_shape=(3, 8, 8), seed=1) for s in (short, long)]
        assert_same(*networks)


def assert_same(one: nn.Module, other: nn.Module) -> None:
    one, other = one.state_dict(), other.state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_seed_gives_the_same_weights_and_leaves_the_global_generator():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = build("cnn", num_classes=3, input_shape=(1, 8, 8), seed=7)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert_same(one, build("cnn", num_classes=3, input_shape=(1, 8, 8), seed=7))
    other = build("cnn", num_classes=3, input_shape=(1, 8, 8), seed=8)
    assert not torch.equal(one.head.weight, other.head.weight)


def test_without_a_seed_weights_come_from_the_global_generator():
    torch.manual_seed(7)
    free = build("cnn", num_classes=3, input_shape=(1, 8, 8))
    assert_same(free, build("cnn", num_classes=3, input_shape=(1, 8, 8), seed=7))


def test_a_network_that_segments_is_built_without_asking_for_weights(monkeypatch):
    """By default torchvision would download those of the backbone."""
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", None)
    with torch.device("meta"):
        network = build(
            "torchvision:deeplabv3_resnet50", num_classes=4, input_shape=(3, 32, 32), seed=0
        )
    assert network.classifier[-1].out_channels == 4
    classifier = blank("torchvision:resnet50", num_classes=4, input_shape=(3, 32, 32))
    moved = {move.target: move.source for move in legatee.plan(network, classifier).moves}
    left = classifier.state_dict().keys() - moved.keys()
    assert left == {"fc.weight", "fc.bias"}
    assert moved["layer4.2.conv3.weight"] == "backbone.layer4.2.conv3.weight"


def test_torchvision_by_name():
    network = build("torchvision:resnet18", num_classes=4, input_shape=(3, 32, 32), seed=0)
    # the published 11,689,512 with 1,000 classes, less 996 outputs of 512 weights and a bias
    assert describe(network) == f"ResNet, {11_689_512 - 996 * 513:,} parameters"
    assert outputs(network, (3, 32, 32)) == (2, 4)


def test_timm_by_name_takes_any_number_of_channels():
    network = build("timm:resnet18", num_classes=4, input_shape=(1, 32, 32), seed=0)
    # the first convolution, 7x7 to 64 channels, has two input channels fewer
    assert describe(network) == f"ResNet, {11_689_512 - 996 * 513 - 2 * 49 * 64:,} parameters"
    assert outputs(network, (1, 32, 32)) == (2, 4)


def test_timm_is_told_the_size_of_the_images_where_it_must_know():
    network = build("timm:vit_tiny_patch16_224", num_classes=4, input_shape=(3, 32, 48))
    assert outputs(network, (3, 32, 48)) == (2, 4)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module of the user's own, importable as ``mine_of_test``."""
    (tmp_path / "mine_of_test.py").write_text(
        "from torch import nn\n"
        "def linear(num_classes): return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))\n"
        "def text(num_classes): return 'a network'\n"
        "def broken(num_classes): raise RuntimeError('out of order')\n"
    )
    (tmp_path / "raising_of_test.py").write_text("raise OSError('no such luck')\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "mine_of_test"
    sys.modules.pop("mine_of_test", None)


def test_a_factory_of_the_users_own(mine):
    assert outputs(build(f"{mine}:linear", num_classes=3, input_shape=(1, 8, 8)), (1, 8, 8)) == (
        2,
        3,
    )


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (
            "text",
            "cannot build 'mine_of_test:text' for 3 classes of inputs (1, 8, 8): expected an "
            "nn.Module, got a str",
        ),
        (
            "broken",
            "cannot build 'mine_of_test:broken' for 3 classes of inputs (1, 8, 8): out of order",
        ),
        ("linea", "unknown factory of mine_of_test 'linea'; did you mean linear?"),
    ],
)
def test_a_factory_that_gives_no_network_is_refused(mine, spec, sentence):
    with pytest.raises(LegateeError) as refused:
        build(f"{mine}:{spec}", num_classes=3, input_shape=(1, 8, 8))
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("resnett:depth=8", "unknown kind of model 'resnett'; did you mean resnet?"),
        ("cnn:width=3", "unknown cnn option 'width'; did you mean widths?"),
        ("resnet:deep=3", "unknown resnet option 'deep'; did you mean depth?"),
        ("torchvision:resnet81", "unknown torchvision model 'resnet81'; did you mean resnet18 or"),
        ("timm:resnet_18", "unknown timm model 'resnet_18'; did you mean resnet18 or"),
        ("timm:hf-hub:timm/resnet18", "unknown timm model 'hf-hub:timm/resnet18'; "),
    ],
)
def test_an_unknown_name_is_met_with_the_nearest(spec, sentence):
    with pytest.raises(UnknownNameError) as refused:
        build(spec, num_classes=3, input_shape=(3, 8, 8))
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("spec", "shape", "sentence"),
    [
        (
            "cnn:widths=16-x",
            (1, 8, 8),
            "cnn: cannot use widths=16-x; give whole numbers in 1..4096: 16-32",
        ),
        (
            "cnn:widths=0",
            (1, 8, 8),
            "cnn: cannot use widths=0; give whole numbers in 1..4096: 16-32",
        ),
        (
            "cnn:widths=2-2-2",
            (1, 3, 8),
            "cnn: inputs (1, 3, 8) are too small for 3 widths, between which height and "
            "width are halved; give fewer widths",
        ),
        (
            "resnet:depth=10",
            (1, 8, 8),
            "resnet: cannot use depth=10; give 6k + 2: 8, 14, 20, 26, ...",
        ),
        (
            "resnet:width=0",
            (1, 8, 8),
            "resnet: cannot use width=0; give a whole number in 1..1024",
        ),
        (
            "torchvision:resnet18",
            (1, 8, 8),
            "torchvision's 'resnet18' takes inputs of 3 channels, got input_shape=(1, 8, 8) "
            "(--shape); use a timm model, which adapts, or RGB images",
        ),
        (
            "no.such.module:make",
            (1, 8, 8),
            "cannot import 'no.such.module': No module named 'no'",
        ),
        (
            "raising_of_test:make",
            (1, 8, 8),
            "cannot import 'raising_of_test': no such luck",
        ),
        (":make", (1, 8, 8), "cannot import '': Empty module name"),
    ],
)
@pytest.mark.usefixtures("mine")
def test_what_cannot_be_built_is_refused(spec, shape, sentence):
    with pytest.raises(LegateeError) as refused:
        build(spec, num_classes=3, input_shape=shape)
    assert str(refused.value) == sentence
