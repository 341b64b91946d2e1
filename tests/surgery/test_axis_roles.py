"""What each axis of each tensor is to its network, as the papers draw these networks."""

import re

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from legatee.surgery.network.catalog import Catalog, read, read_tensors
from legatee.surgery.network.listing import listing
from surgery_zoo import ZOO, Net, Untraceable

CONV = ("out", "in", "kernel", "kernel")
GROUPED = ("groups", "in", "kernel", "kernel")
LINEAR = ("out", "in")
NORM = {
    r"(weight|bias|running_mean|running_var)": ("channel",),
    r"num_batches_tracked": (),
}


def norms(module: str) -> dict[str, tuple[str, ...]]:
    return {rf"({module})\.{leaf}": roles for leaf, roles in NORM.items()}


# Name, as a pattern that must fit whole -> the role of each axis.
RESNET = {
    r"conv1\.weight|layer\d\.\d\.(conv1|conv2|downsample\.0)\.weight": CONV,
    **norms(r"(layer\d\.\d\.)?bn\d|layer\d\.\d\.downsample\.1"),
    r"fc\.weight": ("class", "in"),
    r"fc\.bias": ("class",),
}
RESNEXT = {
    r"conv1\.weight|layer\d\.\d\.(conv1|conv3|downsample\.0)\.weight": CONV,
    r"layer\d\.\d\.conv2\.weight": GROUPED,
    **norms(r"(layer\d\.\d\.)?bn\d|layer\d\.\d\.downsample\.1"),
    r"fc\.weight": ("class", "in"),
    r"fc\.bias": ("class",),
}
# The first block does not expand: its depthwise convolution comes first.
DEPTHWISE = r"features\.(1\.block\.0|([2-9]|1[01])\.block\.1)"
MOBILENET = {
    rf"{DEPTHWISE}\.0\.weight": GROUPED,
    rf"(?!{DEPTHWISE})features\.(0|12|\d+\.block\.\d)\.0\.weight": CONV,
    r"features\.\d+\.block\.\d\.fc[12]\.weight": CONV,
    r"features\.\d+\.block\.\d\.fc[12]\.bias": ("out",),
    **norms(r"features\.(0|12|\d+\.block\.\d)\.1"),
    r"classifier\.0\.weight": LINEAR,
    r"classifier\.0\.bias": ("out",),
    r"classifier\.3\.weight": ("class", "in"),
    r"classifier\.3\.bias": ("class",),
}
VIT = {
    r"cls_token": ("single", "single", "channel"),
    r"pos_embed": ("single", "position", "channel"),
    r"patch_embed\.proj\.weight": CONV,
    r"blocks\.\d+\.attn\.qkv\.weight": ("heads", "in"),
    r"blocks\.\d+\.attn\.qkv\.bias": ("heads",),
    r"blocks\.\d+\.attn\.proj\.weight": ("out", "heads"),
    r"blocks\.\d+\.mlp\.fc[12]\.weight": LINEAR,
    r"patch_embed\.proj\.bias|blocks\.\d+\.(attn\.proj|mlp\.fc[12])\.bias": ("out",),
    r"(blocks\.\d+\.norm[12]|norm)\.(weight|bias)": ("channel",),
    r"head\.weight": ("class", "in"),
    r"head\.bias": ("class",),
}
SWIN = {
    r"features\.0\.0\.weight": CONV,
    r"features\.\d\.\d\.attn\.relative_position_bias_table": ("position", "heads"),
    r"features\.\d\.\d\.attn\.relative_position_index": ("unknown",),
    r"features\.\d\.\d\.attn\.qkv\.weight": ("heads", "in"),
    r"features\.\d\.\d\.attn\.qkv\.bias": ("heads",),
    r"features\.\d\.\d\.attn\.proj\.weight": ("out", "heads"),
    r"features\.\d\.(\d\.mlp\.\d|reduction)\.weight": LINEAR,
    r"features\.0\.0\.bias|features\.\d\.\d\.(attn\.proj|mlp\.\d)\.bias": ("out",),
    r"(features\.(0\.2|\d\.\d\.norm[12]|\d\.norm)|norm)\.(weight|bias)": ("channel",),
    r"head\.weight": ("class", "in"),
    r"head\.bias": ("class",),
}
NETWORKS = {
    "resnet18": (models.resnet18, RESNET),
    "resnext50_32x4d": (models.resnext50_32x4d, RESNEXT),
    "mobilenet_v3_small": (models.mobilenet_v3_small, MOBILENET),
    "vit_tiny_patch16_224": (lambda: timm.create_model("vit_tiny_patch16_224"), VIT),
    "swin_t": (models.swin_t, SWIN),
}


def roles(catalog: Catalog) -> dict[str, tuple[str, ...]]:
    return {name: tensor.axis_roles for name, tensor in catalog.tensors.items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_axis_of_every_tensor_has_the_role_that_the_architecture_gives_it(name):
    make, expected = NETWORKS[name]
    with torch.device("meta"):
        network = make()
    for tensor, found in roles(read(network)).items():
        (pattern,) = [one for one in expected if re.fullmatch(one, tensor)]
        assert (tensor, found) == (tensor, expected[pattern])


class Text(nn.Module):
    """Words and their places, an encoder of four heads; what reads words also writes them."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(50, 32), nn.Embedding(16, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.pool = nn.MultiheadAttention(32, 4, batch_first=True)
        self.decoder = nn.Linear(32, 50)
        self.decoder.weight = self.words.weight

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        places = torch.arange(numbers.shape[1], device=numbers.device)
        x = self.encoder(self.words(numbers) + self.places(places))
        return self.decoder(x + self.pool(x, x, x, need_weights=False)[0])


@pytest.fixture(scope="module")
def text() -> Catalog:
    return read(Text())


def test_a_network_of_text_has_embeddings_places_and_heads(text):
    found = roles(text)
    assert found["words.weight"] == ("embedding", "channel")  # first looked up, shown only then
    assert found["places.weight"] == ("position", "channel")
    for attention in ("encoder.layers.0.self_attn", "encoder.layers.1.self_attn", "pool"):
        assert found[f"{attention}.in_proj_weight"] == ("heads", "in")
        assert found[f"{attention}.in_proj_bias"] == ("heads",)
        assert found[f"{attention}.out_proj.weight"] == ("out", "heads")
        assert found[f"{attention}.out_proj.bias"] == ("out",)
        (heads,) = [g for g in text.groups if (f"{attention}.in_proj_weight", 0) in g.members]
        through = {"in_proj_weight": 0, "in_proj_bias": 0, "out_proj.weight": 1}
        assert set(heads.members) == {(f"{attention}.{n}", axis) for n, axis in through.items()}
        assert heads.size == 4
    assert found["decoder.bias"] == ("out",)


def test_ties_are_named(text):
    assert {n: t.ties for n, t in text.tensors.items() if t.ties} == {
        "words.weight": ("decoder.weight",)
    }
    assert read(ZOO["tied"](4)).tensors["one.weight"].ties == ("two.weight",)
    assert "embedding, channel; the same as decoder.weight" in listing(text)


class Words(nn.Module):
    """Words alone, shifted past a row that is kept free."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(50, 8), nn.Linear(8, 3)

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        return self.head(self.words(numbers + 1).mean(1))


def test_rows_that_the_inputs_numbers_look_up_are_an_embedding():
    assert roles(read(Words()))["words.weight"] == ("embedding", "channel")


class Across(Net):
    """Weights that lie the other way round, or are made of others."""

    def __init__(self, width: int):
        super().__init__(width)
        self.mix = nn.Parameter(torch.zeros(width, 2 * width))
        self.back = nn.Conv1d(2 * width, width, 1)
        self.centred = nn.Parameter(torch.zeros(width, width, 3, 1))

    def body(self, x: torch.Tensor) -> torch.Tensor:
        mixed = (x.movedim(1, -1) @ self.mix).relu().flatten(1, 2).movedim(-1, 1)
        weight = self.centred - self.centred.mean((1, 2, 3), keepdim=True)
        return nn.functional.conv2d(self.back(mixed).reshape(x.shape).relu(), weight)


def test_roles_follow_what_is_computed_not_how_tensors_lie():
    found = roles(read(Across(6)))
    assert found["mix"] == ("in", "out")
    assert found["back.weight"] == ("out", "in", "kernel")
    assert found["centred"] == CONV
    assert roles(read(ZOO["transposed"](6)))["up.weight"] == ("in", "out", "kernel", "kernel")


def test_axes_of_length_one_have_roles_too():
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 1))
    found = roles(read(network, torch.zeros(1, 1, 8, 8)))
    assert found["0.weight"] == CONV
    assert found["3.weight"] == ("out", "in")
    broadcast = roles(read(ZOO["broadcast"](6)))
    assert broadcast["shift"] == ("single", "channel", "single", "single")
    assert broadcast["scale"] == ("channel", "single", "single")
    assert broadcast["gain"] == ()


def test_what_nothing_reads_and_what_cannot_be_followed_is_unknown():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    network[0].unread = nn.Parameter(torch.zeros(2, 1))
    assert roles(read(network))["0.unread"] == ("unknown", "unknown")
    assert set(roles(read_tensors(Untraceable(4))).values()) == {
        ("unknown", "unknown"),
        ("unknown",),
    }
