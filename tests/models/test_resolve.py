"""``MODEL@FILE#KEY`` as Python takes it: the weights, and the sizes that they tell."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

import legatee
from legatee.errors import CheckpointError, LegateeError, TransferError
from legatee.models.build import blank, build
from legatee.models.resolve import ModelSpec, require_weights, weights_of
from legatee.surgery.files.checkpoint import write_weights


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


# --- how it is written ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("timm:resnet18", ("timm:resnet18", None, None)),
        ("timm:resnet18@pretrained", ("timm:resnet18", "pretrained", None)),
        ("cnn@a.safetensors", ("cnn", "a.safetensors", None)),
        ("cnn@runs/a.pt#model", ("cnn", "runs/a.pt", "model")),
        ("cnn@a#b.pt#model", ("cnn", "a#b.pt", "model")),
        ("cnn@#b.pt", ("cnn", "#b.pt", None)),
        ("cnn@a@b.pt", ("cnn", "a@b.pt", None)),
        ("cnn@~/a.pt#k", ("cnn", "/home/of/me/a.pt", "k")),
        ("cnn@x/~/a.pt", ("cnn", "x/~/a.pt", None)),
    ],
)
def test_a_spec_is_read(monkeypatch, text, parts):
    monkeypatch.setenv("HOME", "/home/of/me")
    model = ModelSpec.parse(text)
    assert (model.name, model.file, model.key) == parts
    assert str(model) == text.replace("@~", "@/home/of/me")


def test_a_file_with_a_number_sign_in_its_name_is_that_file():
    Path("a.pt#model").touch()
    assert ModelSpec.parse("cnn@a.pt#model").file == "a.pt#model"


def test_a_path_that_is_too_long_is_one_sentence():
    with pytest.raises(CheckpointError, match=r"no weights at 'a+': File name too long$"):
        build("cnn@" + "a" * 300)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cnn@", "'cnn@' names no file after the @; write cnn@FILE"),
        (
            "hf:o/n@a.pt",
            "hf: models are available only with their published weights; write hf:o/n@pretrained",
        ),
        (
            "hf:o/n",
            "hf: models are available only with their published weights; write hf:o/n@pretrained",
        ),
    ],
)
def test_what_names_no_weights_is_refused(text, sentence):
    with pytest.raises(LegateeError) as refusal:
        build(text)
    assert str(refusal.value) == sentence


def test_weights_are_required_by_name():
    with pytest.raises(LegateeError) as refusal:
        require_weights(ModelSpec.parse("cnn:widths=4"))
    assert str(refusal.value) == "'cnn:widths=4' has no weights to inherit; write cnn:widths=4@FILE"


# --- what is built --------------------------------------------------------------------------------


@pytest.fixture
def network() -> nn.Module:
    return build("cnn:widths=4-6", num_classes=7, input_shape=(1, 8, 8), seed=3)


@pytest.mark.parametrize("form", ["safetensors", "pt", "key"])
def test_a_network_with_the_weights_of_a_file_has_the_sizes_of_the_file(network, form):
    file = {"safetensors": "a.safetensors", "pt": "a.pt", "key": "a.pt#ema"}[form]
    if form == "safetensors":
        save_file(network.state_dict(), file)
    else:
        state = network.state_dict()
        torch.save({"ema": state, "model": {}} if form == "key" else state, "a.pt")
    loaded = legatee.build(f"cnn:widths=4-6@{file}")
    assert same(loaded, network)
    assert not loaded.training


def test_without_weights_it_is_in_training_mode_with_the_sizes_that_were_asked_for(network):
    assert network.training
    assert build("cnn:widths=4").head.out_features == 1000
    assert build("cnn:widths=4").features.conv1a.in_channels == 3


def test_sizes_that_agree_with_the_weights_may_be_told(network):
    write_weights("a.safetensors", network, {})
    spec = "cnn:widths=4-6@a.safetensors"
    assert same(build(spec, num_classes=7, input_shape=(1, 16, 16)), network)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"num_classes": 3}, "num_classes asks for 3 classes, and the weights of "),
        ({"input_shape": (3, 8, 8)}, "input_shape asks for 3 input channels, and the weights of "),
    ],
)
def test_other_sizes_than_those_of_the_weights_are_refused_not_ignored(network, sizes, words):
    write_weights("a.safetensors", network, {})
    with pytest.raises(LegateeError) as refusal:
        build("cnn:widths=4-6@a.safetensors", **sizes)
    assert str(refusal.value).startswith(f"{words}'cnn:widths=4-6@a.safetensors' are for ")


def test_weights_of_another_architecture_are_refused(network):
    write_weights("a.safetensors", network, {})
    with pytest.raises(TransferError, match=r"'a\.safetensors' is not of this architecture"):
        build("cnn:widths=4@a.safetensors")


def test_an_outline_has_the_shapes_of_the_file_and_no_weights(network):
    write_weights("a.safetensors", network, {})
    outline = blank("cnn:widths=4-6@a.safetensors")
    assert outline.head.weight.is_meta
    shapes = {name: value.shape for name, value in outline.state_dict().items()}
    assert shapes == {name: value.shape for name, value in network.state_dict().items()}


def test_an_outline_does_not_read_the_weights_of_a_file_that_using_them_does(network):
    write_weights("a.safetensors", network, {})
    content = bytearray(Path("a.safetensors").read_bytes())
    content[-1] ^= 1
    Path("a.safetensors").write_bytes(content)
    model = ModelSpec.parse("cnn:widths=4-6@a.safetensors")
    assert blank(str(model)).head.weight.is_meta
    with pytest.raises(CheckpointError, match="is damaged"):
        weights_of(model)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of torch.hub with a resnet18 in it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(models.resnet18().state_dict(), folder / "resnet18-f37072fd.pth")
    return folder


def test_published_weights_by_argument_are_those_of_the_spec(cache):
    spec = "torchvision:resnet18"
    assert same(build(spec, pretrained=True), build(f"{spec}@pretrained"))
    assert not build(spec, pretrained=True, num_classes=1000).training
    with pytest.raises(LegateeError, match="num_classes asks for 5 classes"):
        build(spec, pretrained=True, num_classes=5)


# --- sizes that no network has --------------------------------------------------------------------


@pytest.mark.parametrize("make", [build, blank])
@pytest.mark.parametrize("classes", [10**11, 10**7 + 1, -1, 2.5, "5"])
def test_a_number_of_classes_that_no_network_has_is_refused_before_any_work(make, classes):
    with pytest.raises(LegateeError) as refusal:
        make("cnn:widths=4", num_classes=classes)
    assert str(refusal.value) == (
        f"num_classes (--classes) is {classes!r}; expected a whole number from 0 to 10,000,000"
    )


@pytest.mark.parametrize("shape", [(3, 8), (3, 8, 8, 8), 3, (3, 0, 8), (3, 8, 10**6), "3,8,8"])
def test_a_shape_that_no_input_has_is_refused(shape):
    with pytest.raises(LegateeError, match=r"^input_shape \(--shape\) is "):
        build("cnn:widths=4", num_classes=2, input_shape=shape)
