"""What ``catalog`` and ``plan`` make of networks, sizes and rules as they are typed."""

import json
import sys
from pathlib import Path

import pytest
import transformers
from safetensors.torch import load_file

from legatee.cli import main
from legatee.models.build import build
from legatee.surgery.files.checkpoint import write_weights

OLD, NEW = "cnn:widths=8", "cnn:widths=6"
SIZES = ("--classes", 5, "--shape", "1,8,8")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(said: object) -> str:
    assert isinstance(said, str), "it was not refused"
    assert said.startswith("legatee: ")
    assert "\n" not in said
    return said


# --- rules ----------------------------------------------------------------------------------------


def test_the_largest_weights_of_no_weights_are_refused(legatee_does):
    said = refused(legatee_does("plan", OLD, NEW, *SIZES, "--rule", "largest"))
    assert said == f"legatee: --rule largest needs weights; give the source as {OLD}@FILE"


def test_the_largest_weights_are_those_of_the_file(legatee_does):
    network = build(OLD, num_classes=5, input_shape=(1, 8, 8), seed=3)
    network.features.conv1a.weight.data[:2] = 0  # the smallest of the first group
    write_weights("old.safetensors", network, {})
    words = ("plan", f"{OLD}@old.safetensors", NEW, *SIZES, "--rule", "largest", "--json")
    moves = {m["target"]: m for m in json.loads(legatee_does(*words))["entries"]}
    assert moves["features.conv1a.weight"]["take"][0] == "2:8"


@pytest.mark.parametrize("rule", ["active", "signal"])
def test_a_rule_that_looks_at_data_is_refused(legatee_does, rule):
    said = refused(legatee_does("plan", OLD, NEW, *SIZES, "--rule", rule))
    assert said == (
        f"legatee: --rule {rule} needs data; call legatee.plan(..., rule={rule!r}, data=...) from "
        "Python"
    )


# --- sizes ----------------------------------------------------------------------------------------

SMALL = {
    "hidden_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "intermediate_size": 32,
}
NAMES = {0: "cat", 1: "dog"}


def saved_vit() -> None:
    """Write a network of grey images of 24x16 and two classes as the folder ``vit``."""
    images = {"image_size": (24, 16), "patch_size": 8, "num_channels": 1}
    config = transformers.ViTConfig(**SMALL, **images, id2label=NAMES)
    transformers.ViTForImageClassification(config).save_pretrained("vit")


def shapes(does, *words: object) -> dict[str, list[int]]:
    found = json.loads(does("catalog", *words, "--json"))
    return {tensor["name"]: tensor["shape"] for tensor in found["tensors"]}


def test_a_config_says_what_nobody_typed(legatee_does):
    saved_vit()
    found = shapes(legatee_does, "transformers:vit")
    assert found["classifier.weight"] == [2, 16]
    assert found["vit.embeddings.position_embeddings"] == [1, 1 + 3 * 2, 16]
    assert found["vit.embeddings.patch_embeddings.projection.weight"] == [16, 1, 8, 8]
    typed = shapes(legatee_does, "transformers:vit", "--classes", 7, "--shape", "3,8,8")
    assert typed["classifier.weight"] == [7, 16]
    assert typed["vit.embeddings.position_embeddings"] == [1, 2, 16]
    assert typed["vit.embeddings.patch_embeddings.projection.weight"] == [16, 3, 8, 8]


def test_a_folder_without_weights_is_the_network_that_it_describes(legatee_does):
    saved_vit()
    blank = legatee_does("plan", "transformers:vit", "transformers:vit", "--json")
    whole = legatee_does("plan", "transformers:vit@pretrained", "transformers:vit", "--json")
    assert json.loads(whole)["entries"] == json.loads(blank)["entries"]
    assert json.loads(whole)["source"] == "transformers:vit@pretrained"
    assert legatee_does("plan", "transformers:vit", "transformers:vit").startswith("100.0%")


def test_timm_says_what_nobody_typed(legatee_does):
    """It lists ``vit_small_patch14_dinov2`` with images of 518x518, and without classes."""
    found = shapes(legatee_does, "timm:vit_small_patch14_dinov2")
    assert found["pos_embed"] == [1, 1 + 37 * 37, 384]
    assert "head.weight" not in found


def test_other_networks_have_the_classes_and_channels_of_imagenet(legatee_does):
    found = shapes(legatee_does, "cnn:widths=8")
    assert found["head.weight"] == [1000, 8]
    assert found["features.conv1a.weight"] == [8, 3, 3, 3]


@pytest.mark.parametrize("shape", ["3,0,0", "3,-1,8", "0,8,8", "3,8", "3,8,x", ""])
def test_a_shape_that_is_none_is_refused(legatee_does, shape):
    said = refused(legatee_does("catalog", "cnn:widths=8", "--shape", shape))
    assert said == (
        f"legatee: --shape is {shape!r}; expected three whole numbers from 1, such as 3,224,224"
    )


SIDED = """
from torch import nn

class Sided(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 9 * 11, num_classes)

    def forward(self, images):
        return self.head(self.conv(images).flatten(1))
"""


def test_channels_are_followed_with_images_of_the_shape_that_was_typed(legatee_does, monkeypatch):
    """A network of 9x11 images, of a size that nobody would guess."""
    Path("sided.py").write_text(SIDED)
    monkeypatch.syspath_prepend(".")
    sizes = ("--classes", 2, "--shape", "3,9,11")
    words = [line.split() for line in legatee_does("catalog", "sided:Sided", *sizes).splitlines()]
    assert ["head.weight", "2x396", "class,", "in"] in words
    plan = json.loads(
        legatee_does("plan", "sided:Sided", "sided:Sided", *sizes, "--alpha", 0.5, "--json")
    )
    moves = {move["target"]: move for move in plan["entries"]}
    assert moves["head.weight"]["put"] == ["0:2", f"0:{2 * 9 * 11}"]  # two channels of four


def test_a_network_of_fixed_size_is_followed(legatee_does):
    name = "timm:vit_tiny_patch16_224"
    said = legatee_does("catalog", name, "--shape", "3,112,80")
    assert said.startswith("152 tensors")
    assert "class" in said


def test_a_network_that_takes_no_images_ignores_their_shape(legatee_does):
    config = transformers.BertConfig(**SMALL, vocab_size=30, max_position_embeddings=16)
    transformers.BertModel(config).save_pretrained("bert")
    assert legatee_does("catalog", "transformers:bert", "--shape", "3,8,8") == legatee_does(
        "catalog", "transformers:bert"
    )


# --- sizes that a file tells ----------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_are_those_of_the_first_convolution(legatee_does, channels):
    """The positions of ``pit`` come before it, as a tensor of four axes."""
    sizes = {"num_classes": 7, "input_shape": (channels, 224, 224)}
    write_weights("pit.safetensors", build("timm:pit_xs_224", seed=0, **sizes), {})
    found = shapes(legatee_does, "timm:pit_xs_224@pit.safetensors")
    assert found["patch_embed.conv.weight"] == [96, channels, 16, 16]
    assert found["head.weight"] == [7, 384]


@pytest.fixture
def planned(legatee_does) -> None:
    """A plan between networks of five classes of grey images, and the source's weights."""
    network = build(OLD, num_classes=5, input_shape=(1, 8, 8), seed=3)
    write_weights("old.safetensors", network, {})
    legatee_does("plan", f"{OLD}@old.safetensors", NEW, *SIZES, "--out", "plan.json")


def test_a_plan_for_other_classes_than_are_asked_for_is_refused(legatee_does, planned):
    words = ("inherit", "plan.json", f"{OLD}@old.safetensors", NEW, "--out", "new.safetensors")
    said = legatee_does(*words, "--classes", 3)
    assert said == (
        "legatee: the plan is for a target of 5 classes, and --classes asks for 3; leave --classes "
        "out, or make a plan for that number with legatee plan"
    )
    said = legatee_does(*words, "--shape", "3,8,8")
    assert said.startswith("legatee: the plan is for a target of 1 input channels, and --shape")
    assert not Path("new.safetensors").exists()
    legatee_does(*words, *SIZES)
    assert load_file("new.safetensors")["head.weight"].shape == (5, 6)


LAST = """
from torch import nn

class Last(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.head, self.conv = nn.Linear(4, num_classes), nn.Conv2d(3, 4, 3)

    def forward(self, images):
        return self.head(self.conv(images).mean((2, 3)))
"""


def test_classes_are_those_of_the_head_wherever_it_is_defined(legatee_does, monkeypatch):
    Path("last.py").write_text(LAST)
    monkeypatch.syspath_prepend(".")
    network = build("last:Last", num_classes=7, input_shape=(3, 9, 9), seed=0)
    write_weights("last.safetensors", network, {})
    found = shapes(legatee_does, "last:Last@last.safetensors", "--shape", "3,9,9")
    assert found["head.weight"] == [7, 4]


# --- networks that cannot be followed -------------------------------------------------------------

RECURRENT = """
from torch import nn

class Recurrent(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.memory = nn.LSTM(4, 8, batch_first=True)
        self.head = nn.Linear(8, num_classes)

    def forward(self, words):
        words.detach().numpy()  # which tensors without values do not have
        return self.head(self.memory(words)[0][:, -1])
"""


def test_tensors_alone_are_listed_where_channels_cannot_be_followed(monkeypatch, capsys):
    Path("recurrent.py").write_text(RECURRENT)
    monkeypatch.syspath_prepend(".")
    words = ["legatee", "catalog", "recurrent:Recurrent", "--classes", "3"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    said = capsys.readouterr()
    lines = [line.split() for line in said.out.splitlines()]
    # Four gates of 8 rows, with two biases, and the head: 32 * (4 + 8 + 1 + 1) + 3 * (8 + 1).
    assert said.out.startswith("6 tensors, 475 elements")
    assert ["memory.weight_ih_l0", "32x4", "unknown,", "unknown"] in lines
    assert ["head.weight", "3x8", "unknown,", "unknown"] in lines
    assert "group" not in {line[0] for line in lines}
    assert said.err.startswith("legatee: channels could not be followed: ")
    assert said.err.count("\n") == 1
