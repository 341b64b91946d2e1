"""Networks of other depth, naming and place laid over one another."""

import pytest
import timm
import torch
from torch import nn
from torchvision import models

import legatee
from legatee.errors import TransferError
from surgery_references import blank, differing, saved, scrambled
from surgery_zoo import small_resnet


def meta(make):
    with torch.device("meta"):
        return make()


def sources(plan: legatee.TransferPlan) -> dict[str, str]:
    return {move.target: move.source for move in plan.moves}


def vit(depth: int) -> nn.Module:
    return meta(lambda: timm.create_model("vit_tiny_patch16_224", depth=depth))


def blocks(plan: legatee.TransferPlan) -> dict[int, int]:
    found = {
        (int(t.split(".")[1]), int(s.split(".")[1]))
        for t, s in sources(plan).items()
        if t.startswith("blocks.")
    }
    assert len(dict(found)) == len(found), "a block takes from several"
    return dict(found)


# --- rows of blocks -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (None, {i: i for i in range(6)}),
        ("first:4", {i: i for i in range(4)}),
        ("last:6", {i: 6 + i for i in range(6)}),
        ("last:3", {0: 9, 1: 10, 2: 11}),  # the paper's DeiT layers 9, 10, 11
        ("spaced:6", {0: 0, 1: 2, 2: 4, 3: 6, 4: 8, 5: 10}),
        ("spaced:5", {0: 0, 1: 3, 2: 6, 3: 8, 4: 11}),  # 0, 2.75, 5.5 (to even: 6), 8.25, 11
    ],
)
def test_blocks_of_a_deeper_transformer(match, expected):
    plan = legatee.plan(vit(12), vit(6), match=match)
    assert blocks(plan) == expected
    assert sources(plan)["norm.weight"] == "norm.weight"


def test_an_explicit_map_of_blocks_takes_just_these():
    match = {"blocks.0": "blocks.9", "blocks.1": "blocks.10", "blocks.2": "blocks.11"}
    plan = legatee.plan(vit(12), vit(6), match=match)
    assert blocks(plan) == {0: 9, 1: 10, 2: 11}
    assert all(name.startswith("blocks.") for name in sources(plan))


def test_an_explicit_map_may_add_to_all_else():
    plan = legatee.plan(vit(12), vit(6), match={"blocks.0": "blocks.9", "": ""})
    assert blocks(plan) == {0: 9} | {i: i for i in range(1, 6)}
    assert "pos_embed" in sources(plan)


def test_every_stage_of_a_deeper_resnet_gives_its_last_blocks():
    plan = legatee.plan(meta(models.resnet101), meta(models.resnet50), match="last:2")
    found = {t.split(".conv1")[0]: s.split(".conv1")[0] for t, s in sources(plan).items()}
    assert found["layer3.0"] == "layer3.0"  # the block that changes widths is of its own kind
    assert (found["layer3.1"], found["layer3.2"]) == ("layer3.21", "layer3.22")
    assert (found["layer2.1"], found["layer2.2"]) == ("layer2.2", "layer2.3")
    assert "layer3.3" not in found


def test_a_plain_sequence_is_matched_stage_by_stage():
    """By name, features.3 of VGG-11 would be no convolution of VGG-16 at all."""
    plan = legatee.plan(meta(models.vgg16), meta(models.vgg11), match="roles")
    expected = {0: 0, 3: 5, 6: 10, 8: 12, 11: 17, 13: 19, 16: 24, 18: 26}
    found = sources(plan)
    assert {f"features.{t}.weight": f"features.{s}.weight" for t, s in expected.items()} == {
        t: s for t, s in found.items() if t.startswith("features") and t.endswith("weight")
    }
    by_name = sources(legatee.plan(meta(models.vgg16), meta(models.vgg11)))
    assert by_name.items() <= found.items()


@pytest.mark.parametrize("text", ["last", "last:0", "middle:3", "first:-1", ""])
def test_a_match_that_is_no_rule_is_refused(text):
    with pytest.raises(TransferError, match="first:k"):
        legatee.plan(small_resnet(4), small_resnet(4), match=text)


# --- one network in another -----------------------------------------------------------------------


class Holder(nn.Module):
    """A network under a name, and a head of its own."""

    def __init__(self, name: str, network: nn.Module, classes: int = 7):
        super().__init__()
        self.add_module(name, network)
        self.name = name
        self.decoder = nn.Linear(4, classes)

    def forward(self, x):
        return self.decoder(self.get_submodule(self.name)(x))


@pytest.mark.parametrize("name", ["backbone", "model"])
@pytest.mark.parametrize("side", ["source", "target"])
def test_a_network_inside_another_is_found_by_its_place(name, side):
    inner, bare = scrambled(small_resnet(6), 1), scrambled(small_resnet(6), 2)
    held = Holder(name, inner)
    source, target = (held, bare) if side == "source" else (bare, held)
    plan = legatee.plan(source, target, exclude=["head"] if side == "source" else [f"{name}.head"])
    legatee.inherit(plan, source, target)
    wrong = differing(dict(saved(inner)), dict(saved(bare)))
    assert wrong == ["head.weight", "head.bias"]


def test_a_segmentation_backbone_goes_into_a_classifier_and_the_plan_says_what_differs():
    source = meta(lambda: models.segmentation.deeplabv3_resnet50(weights_backbone=None))
    target = meta(models.resnet50)
    plan = legatee.plan(source, target)
    found = sources(plan)
    expected = {n for n in target.state_dict() if not n.startswith("fc.")}
    assert found == {name: f"backbone.{name}" for name in expected}
    said = "\n".join(plan.warnings)
    assert "such as 'layer3.0.conv2.weight': 1x1 in the source, 2x2 in the target" in said
    assert "such as 'layer3.1.conv2.weight': 2x2 in the source, 1x1 in the target" in said


# --- what is chosen by name -----------------------------------------------------------------------


def test_what_is_excluded_stays_and_says_so():
    plan = legatee.plan(small_resnet(6), small_resnet(4), exclude=["blocks.1", "*.running_mean"])
    left = {rest.target: rest.reason for rest in plan.untouched}
    assert left["blocks.1.conv1.weight"] == "excluded by 'blocks.1'"
    assert left["norm.running_mean"] == "excluded by '*.running_mean'"
    assert "blocks.0.conv1.weight" in sources(plan)


def test_only_what_is_included_is_inherited():
    plan = legatee.plan(small_resnet(6), small_resnet(4), include=["conv", "norm"])
    assert {name.split(".")[0] for name in sources(plan)} == {"conv", "norm"}


def test_a_pattern_that_fits_nothing_is_refused():
    with pytest.raises(TransferError, match=r"layer9"):
        legatee.plan(small_resnet(6), small_resnet(4), exclude=["layer9"])


# --- classes --------------------------------------------------------------------------------------


def test_classes_are_taken_where_they_were_said_to_correspond():
    source, target = (scrambled(small_resnet(4, classes=c), c) for c in (9, 5))
    before = target.head.weight.clone()
    plan = legatee.plan(source, target, class_map={0: 7, 3: 2})
    legatee.inherit(plan, source, target)
    assert torch.equal(target.head.weight[[0, 3]], source.head.weight[[7, 2]])
    assert torch.equal(target.head.bias[[0, 3]], source.head.bias[[7, 2]])
    assert torch.equal(target.head.weight[[1, 2, 4]], before[[1, 2, 4]])


@pytest.mark.parametrize(("classes", "which"), [({5: 0}, "target"), ({0: 9}, "source")])
def test_classes_that_are_not_there_are_refused(classes, which):
    source, target = small_resnet(4, classes=9), small_resnet(4, classes=5)
    with pytest.raises(TransferError, match=which):
        legatee.plan(source, target, class_map=classes)


def test_a_head_without_its_bias_is_not_inherited():
    class Bare(nn.Module):
        def __init__(self, bias: bool):
            super().__init__()
            self.body, self.head = nn.Linear(5, 6), nn.Linear(6, 3, bias=bias)

        def forward(self, x):
            return self.head(self.body(x).relu())

    plan = legatee.plan(Bare(False), Bare(True), class_map={0: 0, 1: 1, 2: 2})
    assert set(sources(plan)) == {"body.weight", "body.bias"}


# --- images of another size -----------------------------------------------------------------------


def small_vit(**options) -> nn.Module:
    return timm.models.VisionTransformer(
        embed_dim=32, depth=1, num_heads=2, num_classes=4, patch_size=8, **options
    )


def test_position_embeddings_are_resized_as_timm_does():
    source, target = (blank(lambda s=s: small_vit(img_size=s)) for s in (64, 32))
    scrambled(source, 1)
    plan = legatee.plan(source, target)
    assert plan.warnings == (
        "'pos_embed': 8x8 positions are resized to 4x4 (bicubic); the first 1 are copied",
    )
    receipt = legatee.inherit(plan, source, target)
    expected = timm.layers.resample_abs_pos_embed(source.pos_embed, [4, 4], num_prefix_tokens=1)
    assert torch.allclose(target.pos_embed, expected, atol=1e-6)
    accounts = {account.target: account for account in receipt.tensors}
    assert accounts["pos_embed"].inherited_elements == 17 * 32


@pytest.mark.parametrize(("have", "wanted"), [(3, 1), (3, 4), (1, 3), (4, 3)])
def test_a_first_convolution_of_other_channels_is_made_as_timm_does(have, wanted):
    source, target = (blank(lambda c=c: small_vit(img_size=32, in_chans=c)) for c in (have, wanted))
    scrambled(source, 1)
    plan = legatee.plan(source, target)
    assert any("input channels" in warning for warning in plan.warnings)
    legatee.inherit(plan, source, target)
    given = source.patch_embed.proj.weight
    rgb = have == 3  # timm goes from three channels only; the others by its rule, by hand
    expected = (
        timm.models.adapt_input_conv(wanted, given)
        if rgb
        else given[:, [i % have for i in range(wanted)]] * have / wanted
    )
    assert torch.allclose(target.patch_embed.proj.weight, expected, atol=1e-6)
