"""What the kept channels compute is what they computed, once all others are silent."""

import pytest
import torch
from torch import nn
from torchvision import models

import legatee
from surgery_references import (
    evenly,
    outputs,
    poisoned,
    positions,
    saved,
    scrambled,
    silence,
    spread,
)
from surgery_zoo import ZOO, bottleneck, cnn, densenet, small_resnet, vgg11


def agree(wide: nn.Module, narrow: nn.Module, shape: tuple[int, ...]) -> None:
    """Hold two networks to the same outputs, which are not trivial."""
    expected, given_ = outputs(wide.double(), shape), outputs(narrow.double(), shape)
    spans = float(expected.std(0).mean())
    assert spans > 1e-6 * float(expected.abs().mean()), "the input must matter"
    assert torch.allclose(given_, expected, rtol=0, atol=1e-4 * spans)


def transplant(wide: nn.Module, narrow: nn.Module, head: str, last: list[int]) -> None:
    """Copy the head's matching columns by hand."""
    given_, taken = wide.get_submodule(head), narrow.get_submodule(head)
    with torch.no_grad():
        taken.weight.copy_(given_.weight[:, last])
        taken.bias.copy_(given_.bias)


WIDER = {
    "resnet 32 to 16": (lambda: small_resnet(32), lambda: small_resnet(16), "head", 16),
    "resnet 14 to 9": (lambda: small_resnet(14), lambda: small_resnet(9), "head", 16),
    "cnn 24-48 to 16-32": (lambda: cnn("24-48"), lambda: cnn("16-32"), "head", 16),
    "cnn 13-7-20 to 5-7-11": (lambda: cnn("13-7-20"), lambda: cnn("5-7-11"), "head", 16),
    "bottleneck 48 to 32": (lambda: bottleneck(48), lambda: bottleneck(32), "fc", 32),
    "vgg11_bn to narrower": (
        lambda: vgg11((16, 24, 32, 24), 20),
        lambda: vgg11((8, 12, 21, 16), 12),
        "classifier.3",
        32,
    ),
    "mobilenet_v3_small 1 to 0.75": (
        lambda: models.mobilenet_v3_small(num_classes=4),
        lambda: models.mobilenet_v3_small(width_mult=0.75, num_classes=4),
        "classifier.3",
        64,
    ),
}


@pytest.mark.parametrize("pair", WIDER)
def test_a_narrow_network_computes_what_the_evenly_kept_channels_computed(pair):
    make_wide, make_narrow, head, side = WIDER[pair]
    wide, narrow = scrambled(make_wide(), 1), poisoned(make_narrow())
    silence(wide, evenly(wide, narrow, head))
    legatee.inherit(legatee.plan(wide, narrow), wide, narrow)
    columns = [m.get_submodule(head).weight.shape[1] for m in (wide, narrow)]
    transplant(wide, narrow, head, spread(*columns))
    agree(wide, narrow, (3, side, side))


def test_a_resnext_with_fewer_groups_computes_what_its_whole_groups_computed():
    wide, narrow = scrambled(bottleneck(4, groups=12), 1), poisoned(bottleneck(4, groups=8))
    kept = evenly(wide, narrow, "fc")
    for stage in range(1, 5):
        size = 4 * 2 ** (stage - 1)  # channels of a group
        whole = [size * group + i for group in spread(12, 8) for i in range(size)]
        for layer in ("conv1", "bn1", "conv2", "bn2"):
            kept[f"layer{stage}.0.{layer}"] = whole
    silence(wide, kept)
    legatee.inherit(legatee.plan(wide, narrow), wide, narrow)
    transplant(wide, narrow, "fc", list(range(2048)))
    agree(wide, narrow, (3, 32, 32))


def test_a_narrow_densenet_computes_what_the_kept_channels_of_each_piece_computed():
    wide, narrow = scrambled(densenet(8, 16), 1), poisoned(densenet(4, 10))
    kept = evenly(wide, narrow, "classifier")
    pieces = {  # what is concatenated where, by hand: (wide, narrow) sizes of each piece
        "features.denseblock1": [(16, 10), (8, 4), (8, 4)],
        "features.denseblock2": [(16, 9), (8, 4), (8, 4), (8, 4)],
    }

    def joined(block: str, count: int) -> list[int]:
        offset, result = 0, []
        for available, wanted in pieces[block][:count]:
            result += [offset + i for i in spread(available, wanted)]
            offset += available
        return result

    for block, sizes in pieces.items():
        for layer in range(1, len(sizes)):
            kept[f"{block}.denselayer{layer}.norm1"] = joined(block, layer)
    kept["features.transition1.norm"] = joined("features.denseblock1", 3)
    kept["features.norm5"] = joined("features.denseblock2", 4)
    silence(wide, kept)
    legatee.inherit(legatee.plan(wide, narrow), wide, narrow)
    transplant(wide, narrow, "classifier", kept["features.norm5"])
    agree(wide, narrow, (3, 32, 32))


@pytest.mark.parametrize("rule", ["uniform", "first", "random"])
def test_the_law_of_silenced_channels_holds_for_every_rule(rule):
    wide, narrow = scrambled(small_resnet(11), 1), poisoned(small_resnet(6))
    plan = legatee.plan(wide, narrow, rule=rule, seed=5)
    kept = {
        move.source.rpartition(".")[0]: positions(move.take[0]) for move in plan.moves if move.take
    }
    silence(wide, kept)
    legatee.inherit(plan, wide, narrow)
    transplant(wide, narrow, "head", kept["blocks.2.norm2"])
    agree(wide, narrow, (3, 16, 16))


@pytest.mark.parametrize("rule", ["uniform", "random"])
def test_the_inherited_part_of_a_target_computes_what_it_computed_in_the_source(rule):
    source, target = scrambled(small_resnet(12), 1), scrambled(small_resnet(10), 2)
    plan = legatee.plan(source, target, alpha=0.6, rule=rule, seed=2)
    legatee.inherit(plan, source, target)
    moves = [move for move in plan.moves if move.take]
    kept = {move.source.rpartition(".")[0]: positions(move.take[0]) for move in moves}
    filled = {move.target.rpartition(".")[0]: positions(move.put[0]) for move in moves}
    assert len(kept["blocks.2.norm2"]) == 24  # 0.6 of 40
    silence(source, kept)
    silence(target, filled)
    with torch.no_grad():
        columns = source.head.weight[:, kept["blocks.2.norm2"]]
        target.head.weight[:, filled["blocks.2.norm2"]] = columns
        target.head.bias.copy_(source.head.bias)
    agree(source, target, (3, 16, 16))


def test_a_wider_target_computes_the_same_where_its_own_channels_are_silenced():
    source, target = scrambled(small_resnet(6), 1), scrambled(small_resnet(11), 2)
    plan = legatee.plan(source, target)
    legatee.inherit(plan, source, target)
    moves = [move for move in plan.moves if move.take]
    filled = {move.target.rpartition(".")[0]: positions(move.put[0]) for move in moves}
    silence(target, filled)
    with torch.no_grad():
        target.head.weight[:, filled["blocks.2.norm2"]] = source.head.weight
        target.head.bias.copy_(source.head.bias)
    agree(source, target, (3, 16, 16))


def test_a_wider_target_takes_all_channels_of_its_source():
    source, target = small_resnet(6), small_resnet(11)
    plan = legatee.plan(source, target)
    taken = {move.source: positions(move.take[0]) for move in plan.moves if move.take}
    expected = {n: t for n, t in saved(source).items() if t.dim() and not n.startswith("head")}
    assert taken == {name: list(range(tensor.shape[0])) for name, tensor in expected.items()}


CONSISTENT = sorted(set(ZOO) - {"normed", "shuffled", "broadcast", "grouped"})


@pytest.mark.parametrize("widths", [(12, 8), (16, 8)], ids=["12 to 8", "16 to 8"])
@pytest.mark.parametrize("name", CONSISTENT)
def test_an_awkward_narrow_network_computes_what_the_kept_channels_computed(name, widths):
    wide, narrow = scrambled(ZOO[name](widths[0]), 1), poisoned(ZOO[name](widths[1]))
    plan = legatee.plan(wide, narrow)
    kept = {}
    for move in plan.moves:
        module = wide.get_submodule(move.source.rpartition(".")[0])
        axis = 1 if isinstance(module, nn.ConvTranspose2d) and len(move.take) == 4 else 0
        if move.take:
            kept[move.source.rpartition(".")[0]] = positions(move.take[axis])
    silence(wide, kept)
    legatee.inherit(plan, wide, narrow)
    transplant(wide, narrow, "head", spread(*widths))
    agree(wide, narrow, (3, 8, 8))


def test_parameters_that_are_broadcast_follow_the_channels_they_meet():
    wide, narrow = scrambled(ZOO["broadcast"](12), 1), poisoned(ZOO["broadcast"](8))
    kept = spread(12, 8)
    silence(wide, {"stem": kept, "inner": kept})
    with torch.no_grad():
        for silent in set(range(12)) - set(kept):
            wide.shift[:, silent] = wide.scale[silent] = 0
    plan = legatee.plan(wide, narrow, example_inputs=torch.zeros(2, 3, 8, 8))
    legatee.inherit(plan, wide, narrow)
    transplant(wide, narrow, "head", kept)
    agree(wide, narrow, (3, 8, 8))


@pytest.mark.parametrize(("name", "blocks"), [("shuffled", (8, 12)), ("grouped", (4, 6))])
def test_blocks_of_another_width_that_cannot_be_cut_apart_are_refused(name, blocks):
    wide, narrow = scrambled(ZOO[name](12), 1), scrambled(ZOO[name](8), 2)
    here, there = blocks  # channels that a grouped convolution, or a shuffle, makes one
    with pytest.raises(legatee.LegateeError, match="nothing would be inherited") as error:
        legatee.plan(wide, narrow)
    said = f"stem.weight: a channel covers {here} positions in the target, {there} in the source"
    assert said in str(error.value)


def test_a_norm_over_groups_is_inherited_with_the_channels_that_it_scales():
    plan = legatee.plan(scrambled(ZOO["normed"](12), 1), scrambled(ZOO["normed"](8), 2))
    kept = {move.target: positions(move.take[0]) for move in plan.moves}
    assert set(kept) == {
        f"{layer}.{kind}" for layer in ("stem", "group", "layer") for kind in ("weight", "bias")
    }
    assert {tuple(rows) for rows in kept.values()} == {tuple(spread(12, 8))}


# --- another depth --------------------------------------------------------------------------------


def test_a_deeper_resnet_is_the_shallow_one_where_its_new_blocks_are_silent():
    source = scrambled(models.resnet18(num_classes=4), 1)
    target = scrambled(models.resnet34(num_classes=4), 2)
    legatee.inherit(legatee.plan(source, target), source, target)
    shallow = dict(source.named_modules())
    for name, block in target.named_modules():
        if isinstance(block, models.resnet.BasicBlock) and name not in shallow:
            nn.init.zeros_(block.bn2.weight)
            nn.init.zeros_(block.bn2.bias)
    transplant(source, target, "fc", list(range(512)))
    agree(source, target, (3, 32, 32))


def test_a_shallower_resnet_is_the_deep_one_where_its_lost_blocks_are_silent():
    source = scrambled(small_resnet(8, depth=14), 1)
    target = poisoned(small_resnet(8, depth=14 - 6))
    match = {"conv": "conv", "norm": "norm"} | {
        f"blocks.{stage}": f"blocks.{2 * stage}" for stage in range(3)
    }
    for stage in range(3):
        nn.init.zeros_(source.blocks[2 * stage + 1].norm2.weight)
        nn.init.zeros_(source.blocks[2 * stage + 1].norm2.bias)
    legatee.inherit(legatee.plan(source, target, match=match), source, target)
    transplant(source, target, "head", list(range(32)))
    agree(source, target, (3, 16, 16))


# --- hidden channels of a ConvNeXt's MLPs ---------------------------------------------------------


def convnext(hidden: int) -> nn.Module:
    """A small ConvNeXt whose blocks have so many hidden channels; its stream stays as wide.

    Norms run over all channels of the stream, so only the hidden channels can be silenced.
    """
    settings = [models.convnext.CNBlockConfig(*c) for c in ((24, 32, 2), (32, None, 2))]
    network = models.ConvNeXt(settings, num_classes=4)
    for stage in (1, 3):
        for block in network.features[stage]:
            width = block.block[3].in_features
            block.block[3], block.block[5] = nn.Linear(width, hidden), nn.Linear(hidden, width)
            nn.init.ones_(block.layer_scale)
    return network


@pytest.mark.parametrize("rule", ["uniform", "random", "largest"])
@pytest.mark.parametrize("widths", [(48, 32), (64, 32)], ids=["48 to 32", "64 to 32"])
def test_a_convnext_of_fewer_hidden_channels_computes_what_the_kept_ones_computed(widths, rule):
    wide, narrow = scrambled(convnext(widths[0]), 1), poisoned(convnext(widths[1]))
    plan = legatee.plan(wide, narrow, rule=rule, seed=3)
    kept = {
        move.source.removesuffix(".weight"): positions(move.take[0])
        for move in plan.moves
        if move.target.endswith("block.3.weight")
    }
    assert len(kept) == 4
    silence(wide, kept)
    legatee.inherit(plan, wide, narrow)
    transplant(wide, narrow, "classifier.2", list(range(32)))
    agree(wide, narrow, (3, 64, 64))


def test_a_mobilenet_computes_what_the_largest_channels_computed():
    make = models.mobilenet_v3_small
    wide, narrow = scrambled(make(num_classes=4), 1), poisoned(make(width_mult=0.75, num_classes=4))
    plan = legatee.plan(wide, narrow, rule="largest")
    kept = {
        move.source.rpartition(".")[0]: positions(move.take[0]) for move in plan.moves if move.take
    }
    silence(wide, kept)
    legatee.inherit(plan, wide, narrow)
    transplant(wide, narrow, "classifier.3", kept["classifier.0"])
    agree(wide, narrow, (3, 64, 64))
