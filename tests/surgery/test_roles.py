"""Matching by role, where blocks are of another kind: filled as far as it goes, and said aloud."""

from math import prod

import pytest
import timm
import torch
from torch import nn
from torchvision import models

import legatee
from legatee.errors import TransferError
from surgery_references import blank, cured, poisoned, saved, scrambled
from surgery_zoo import Untraceable, bottleneck


def meta(make):
    with torch.device("meta"):
        return make()


@pytest.fixture(scope="module")
def deep() -> tuple[nn.Module, nn.Module, legatee.TransferPlan]:
    source, target = meta(models.resnet101), meta(models.resnet34)
    return source, target, legatee.plan(source, target, match="roles")


def test_every_3x3_convolution_of_resnet34_is_filled_from_resnet101(deep):
    source, target, plan = deep
    filled = {move.target: move for move in plan.moves}
    for name, module in target.named_modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            move = filled[f"{name}.weight"]
            assert move.inherited_elements == module.weight.numel()
            taken = source.get_submodule(move.source.removesuffix(".weight"))
            assert taken.kernel_size == (3, 3)
            assert move.source.split(".")[0] == name.split(".")[0]  # the same stage


def test_every_norm_of_resnet34_is_filled_from_the_one_behind_its_convolution(deep):
    _, target, plan = deep
    sources = {move.target: move.source for move in plan.moves}
    for name, module in target.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            before = name.replace("bn", "conv").replace("downsample.1", "downsample.0")
            behind = sources[f"{before}.weight"].removesuffix(".weight")
            norm = behind.replace("conv", "bn").replace("downsample.0", "downsample.1")
            for leaf in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                assert sources[f"{name}.{leaf}"] == f"{norm}.{leaf}"


def test_all_of_resnet34_that_can_be_filled_by_role_is_all_but_its_head(deep):
    _, target, plan = deep
    sizes = {name: prod(tensor.shape) for name, tensor in target.state_dict().items()}
    head = sizes["fc.weight"] + sizes["fc.bias"]
    assert plan.inherited_fraction == 1 - head / sum(sizes.values())
    assert {rest.target for rest in plan.untouched} == {"fc.weight", "fc.bias"}


def test_no_source_layer_is_taken_twice_while_another_one_is_free(deep):
    _, _, plan = deep
    third = [m.source for m in plan.moves if m.target.startswith("layer3.") and "conv" in m.target]
    assert len(third) == len(set(third)) == 12


def test_a_plan_by_role_says_what_is_inconsistent(deep):
    _, _, plan = deep
    said = "\n".join(plan.warnings)
    assert "channels are not consistent" in said
    assert "3 source layers fill 6 target layers: 3x3 convolutions at 1/4" in said
    assert "such as 'layer2.0.conv2.weight': 2x2 in the source, 1x1 in the target" in said


def test_the_default_fills_less_says_so_and_names_the_other_way():
    plan = legatee.plan(meta(models.resnet101), meta(models.resnet34))
    assert plan.inherited_fraction < 0.2
    assert any("match='roles' (--match roles) inherits it" in warning for warning in plan.warnings)


def test_what_is_filled_by_role_is_what_the_plan_says():
    source, target = scrambled(bottleneck(48), 1), poisoned(_basic())
    receipt = legatee.inherit(legatee.plan(source, target, match="roles"), source, target)
    assert receipt.inherited_fraction == sum(map(cured, saved(target).values())) / receipt.elements
    wide, slim = source.layer1[0].conv2.weight, target.layer1[0].conv1.weight
    assert torch.equal(slim[:48, :48], wide)  # 48 channels there, 64 here


def _basic() -> nn.Module:
    return models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=4)


def test_networks_of_two_libraries_match_by_role_with_consistent_channels():
    source = scrambled(blank(lambda: _timm_vit(64, 4)), 1)
    target = scrambled(blank(_torchvision_vit), 2)
    with torch.no_grad():
        target.heads.head.weight.copy_(source.head.weight)
        target.heads.head.bias.copy_(source.head.bias)
    plan = legatee.plan(source, target, match="roles")
    assert not any("not consistent" in warning for warning in plan.warnings)
    legatee.inherit(plan, source, target)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(source.eval()(images), target.eval()(images), atol=1e-4)


def _timm_vit(width: int, heads: int) -> nn.Module:
    return timm.models.VisionTransformer(
        img_size=32, patch_size=8, embed_dim=width, depth=2, num_heads=heads, num_classes=4
    )


def _torchvision_vit() -> nn.Module:
    return models.VisionTransformer(32, 8, 2, 4, 64, 256, num_classes=4)


def test_the_last_norm_is_not_confused_with_the_first_of_a_block():
    source = meta(lambda: timm.create_model("vit_tiny_patch16_224"))
    target = meta(lambda: timm.create_model("vit_tiny_patch16_224", depth=6))
    sources = {m.target: m.source for m in legatee.plan(source, target, match="roles").moves}
    assert sources["norm.weight"] == "norm.weight"
    assert all(sources[name] == name for name in sources)


def test_roles_need_networks_that_can_be_followed():
    with pytest.raises(TransferError, match="roles"):
        legatee.plan(Untraceable(5), Untraceable(5), match="roles")
