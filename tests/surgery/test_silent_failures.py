"""What other tools get wrong without a word (the project's survey of them): refused, or right."""

import pytest
import timm
import torch
from torch import nn
from torchvision import models

import legatee
from legatee.errors import TransferError
from surgery_references import blank, differing, outputs, saved, scrambled, snapshot
from surgery_zoo import ZOO, cnn, small_resnet


def mlp(width: int, classes: int = 3, *, dtype: torch.dtype = torch.float32) -> nn.Module:
    layers = [nn.Linear(5, width), nn.ReLU(), nn.Linear(width, classes)]
    return nn.Sequential(*layers).to(dtype)


def test_running_statistics_come_along():
    """One library copies none: its copy of a ResNet is another function."""
    source, target = (scrambled(blank(models.resnet18), seed) for seed in (1, 2))
    legatee.inherit(legatee.plan(source, target), source, target)
    assert torch.equal(outputs(source, (3, 32, 32)), outputs(target, (3, 32, 32)))


def test_a_query_is_never_filled_from_a_key():
    """A fused projection cut as one axis of 3 x 192 would take Q and K from Q alone."""
    small, tiny = (
        blank(lambda n=n: timm.create_model(f"vit_{n}_patch16_224", depth=1))
        for n in ("small", "tiny")
    )
    with torch.no_grad():
        for part in range(3):
            small.blocks[0].attn.qkv.bias[384 * part : 384 * (part + 1)] = part
    scrambled_rest = legatee.plan(small, tiny, include=["blocks"])
    for tensor in saved(small).values():
        tensor.data.nan_to_num_(0.0, 0.0, 0.0)
    legatee.inherit(scrambled_rest, small, tiny)
    assert tiny.blocks[0].attn.qkv.bias.tolist() == [0] * 192 + [1] * 192 + [2] * 192


def test_heads_of_another_width_are_left_rather_than_mixed():
    wide, slim = (
        models.VisionTransformer(32, 8, 1, heads, 48, 96, num_classes=4) for heads in (4, 3)
    )
    plan = legatee.plan(wide, slim, example_inputs=torch.zeros(1, 3, 32, 32))
    left = {rest.target: rest.reason for rest in plan.untouched}
    attention = [n for n in left if "self_attention" in n and "weight" in n]
    assert len(attention) == 2
    assert {name.rpartition("self_attention.")[2]: left[name] for name in attention} == {
        "in_proj_weight": "a channel covers 48 positions in the target, 36 in the source",
        "out_proj.weight": "a channel covers 16 positions in the target, 12 in the source",
    }


def test_a_failed_transfer_leaves_the_target_as_it_was():
    source, target = scrambled(small_resnet(6), 1), scrambled(small_resnet(4), 2)
    with torch.no_grad():
        source.blocks[2].conv2.weight[0] = float("nan")
    before = snapshot(target)
    with pytest.raises(TransferError, match=r"blocks\.2\.conv2\.weight"):
        legatee.inherit(legatee.plan(source, target), source, target)
    assert differing(before, snapshot(target)) == []


@pytest.mark.parametrize("prefix", ["module", "_orig_mod", "backbone", "model"])
def test_a_prefix_is_no_reason_to_load_nothing(prefix):
    source, target = small_resnet(6), small_resnet(4)
    held = nn.Sequential()
    held.add_module(prefix, source)
    assert (
        legatee.plan(held, target).inherited_fraction
        == legatee.plan(source, target).inherited_fraction
        > 0.9
    )


def test_a_bias_of_a_head_never_comes_without_its_weight():
    source, target = mlp(6), mlp(4)  # the bias has the same shape in both
    plan = legatee.plan(source, target, match={"0": "0", "2.bias": "2.bias"}, class_map={0: 0})
    assert {move.target for move in plan.moves} == {"0.weight", "0.bias"}
    left = {rest.target: rest.reason for rest in plan.untouched}
    assert left["2.bias"] == "no layer that computes its channels is inherited"


def test_rows_of_classes_are_not_cropped_as_if_classes_were_the_same():
    plan = legatee.plan(mlp(6, classes=10), mlp(6, classes=3))
    assert {move.target for move in plan.moves} == {"0.weight", "0.bias"}


def test_a_bias_that_the_source_lacks_is_not_zeroed():
    class Norm(nn.Module):
        def __init__(self, bias: bool):
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 6, 3, bias=bias), nn.Conv2d(6, 2, 1)

        def forward(self, x):
            return self.head(self.conv(x).relu())

    source, target = scrambled(Norm(False), 1), scrambled(Norm(True), 2)
    before = target.conv.bias.clone()
    legatee.inherit(legatee.plan(source, target), source, target)
    assert torch.equal(target.conv.bias, before)
    assert torch.equal(target.conv.weight, source.conv.weight)


def test_blocks_of_another_kind_are_not_filled_by_the_coincidence_of_a_name():
    """By name and shape, half of resnet34 would be filled from resnet101's other blocks."""
    with torch.device("meta"):
        source, target = models.resnet101(), models.resnet34()
    plan = legatee.plan(source, target)
    inner = [m.target for m in plan.moves if m.target.endswith("conv2.weight")]
    assert len(inner) == 4  # one of each stage, whose channels agree, of sixteen
    assert any("another way" in warning for warning in plan.warnings)


def test_equal_numbers_of_elements_are_not_reshaped():
    source = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    target = nn.Sequential(nn.Conv2d(4, 6, 1), nn.ReLU(), nn.Conv2d(6, 2, 1))
    with pytest.raises(TransferError, match="4 axes in the target and 2 in the source"):
        legatee.plan(source, target)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_narrower_type_is_refused(dtype):
    source, target = mlp(6), mlp(6, dtype=dtype)
    before = snapshot(target)
    with pytest.raises(TransferError, match="range or precision"):
        legatee.inherit(legatee.plan(source, target), source, target)
    assert differing(before, snapshot(target)) == []


def test_fractions_do_not_become_whole_numbers():
    source, target = ZOO["counters"](4), ZOO["counters"](4)
    source.register_buffer("steps", torch.tensor(2.5))
    with pytest.raises(TransferError, match="steps"):
        legatee.inherit(legatee.plan(source, target, head=False), source, target)


def test_tied_weights_stay_tied():
    source, target = scrambled(ZOO["tied"](12), 1), scrambled(ZOO["tied"](8), 2)
    legatee.inherit(legatee.plan(source, target), source, target)
    assert target.one.weight is target.two.weight


def test_the_order_in_memory_stays():
    source = scrambled(small_resnet(6), 1)
    target = small_resnet(4).to(memory_format=torch.channels_last)
    legatee.inherit(legatee.plan(source, target), source, target)
    weight = target.blocks[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_new_channels_keep_their_own_start():
    """Elsewhere new channels of a norm are left as uninitialised memory."""
    source, target = scrambled(small_resnet(6), 1), small_resnet(9)
    legatee.inherit(legatee.plan(source, target), source, target)
    assert target.norm.running_var[6:].tolist() == [1.0, 1.0, 1.0]
    assert target.norm.weight[6:].tolist() == [1.0, 1.0, 1.0]


def test_module_in_the_middle_of_a_name_is_kept():
    """``strip('module.')`` makes ``weight`` of ``module.model.weight``."""
    source, target = scrambled(ZOO["inner"](4), 1), scrambled(ZOO["inner"](4), 2)
    plan = legatee.plan(source, target)
    assert {m.source: m.target for m in plan.moves}["module.0.weight"] == "module.0.weight"


def test_a_plan_for_another_architecture_names_what_does_not_fit():
    plan = legatee.plan(small_resnet(6), small_resnet(4))
    with pytest.raises(TransferError, match="another target"):
        legatee.inherit(plan, small_resnet(6), small_resnet(5))


def test_an_empty_plan_is_refused_with_the_nearest_reasons():
    with pytest.raises(TransferError, match=r"nothing would be inherited \(.*name"):
        legatee.plan(cnn("4-6"), nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.Conv2d(4, 2, 1)))
