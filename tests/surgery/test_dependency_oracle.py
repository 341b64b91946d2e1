"""Torch-Pruning follows channels by its own graph: it must cut the very same ones."""

from collections import defaultdict
from collections.abc import Callable
from functools import cache

import pytest
import timm
import torch
import torch_pruning as tp
from torch import nn
from torchvision import models

import legatee
from surgery_references import bits, blank, channels, positions, saved, scrambled, spread
from surgery_zoo import ZOO, bottleneck, cnn, densenet, small_resnet, vgg11

ROOTS = [nn.Conv2d, nn.Linear]


def dependencies(network: nn.Module, shape: tuple[int, ...]) -> tp.DependencyGraph:
    # Not verbose: it tells that bare parameters are cut along their last axis, as they should be.
    return tp.DependencyGraph().build_dependency(network, torch.zeros(2, *shape), verbose=False)


def groups(network: nn.Module, shape: tuple[int, ...], head: str) -> list[tp.Group]:
    graph = dependencies(network, shape)
    return list(
        graph.get_all_groups(ignored_layers=[network.get_submodule(head)], root_module_types=ROOTS)
    )


def evenly_kept(name: str, size: int, wanted: int) -> list[int]:
    return spread(size, wanted)


def pruned(
    wide: nn.Module,
    narrow: nn.Module,
    shape: tuple[int, ...],
    head: str,
    kept: Callable[[str, int, int], list[int]] = evenly_kept,
) -> nn.Module:
    """Cut ``wide`` down to the kept channels of each layer, named, with Torch-Pruning."""
    names = {module: name for name, module in wide.named_modules()}
    other = dict(narrow.named_modules())
    roots = [group[0].dep.target.module for group in groups(wide, shape, head)]
    graph = dependencies(wide, shape)
    for root in roots:
        size, wanted = channels(root), channels(other[names[root]])
        cut = sorted(set(range(size)) - set(kept(names[root], size, wanted)))
        if cut:
            linear = isinstance(root, nn.Linear)
            prune = tp.prune_linear_out_channels if linear else tp.prune_conv_out_channels
            graph.get_pruning_group(root, prune, cut).prune()
    return wide


PAIRS = {
    "resnet": (lambda: small_resnet(14), lambda: small_resnet(9), 16, "head"),
    "resnet, halved": (lambda: small_resnet(12), lambda: small_resnet(6), 16, "head"),
    "cnn": (lambda: cnn("11-20"), lambda: cnn("4-13"), 16, "head"),
    "bottleneck": (lambda: bottleneck(48), lambda: bottleneck(32), 32, "fc"),
    "vgg11_bn": (
        lambda: vgg11((16, 24, 32, 12), 20),
        lambda: vgg11((8, 12, 21, 8), 12),
        32,
        "classifier.3",
    ),
    "mobilenet_v3_small": (
        lambda: models.mobilenet_v3_small(num_classes=4),
        lambda: models.mobilenet_v3_small(width_mult=0.75, num_classes=4),
        64,
        "classifier.3",
    ),
    "densenet": (lambda: densenet(8, 16), lambda: densenet(4, 10), 32, "classifier"),
    "concat": (lambda: ZOO["concat"](12), lambda: ZOO["concat"](8), 8, "head"),
    "flat": (lambda: ZOO["flat"](12), lambda: ZOO["flat"](8), 8, "head"),
    "squeeze": (lambda: ZOO["squeeze"](12), lambda: ZOO["squeeze"](8), 8, "head"),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_pruning_to_the_kept_channels_leaves_the_tensors_that_were_inherited(pair):
    make_wide, make_narrow, side, head = PAIRS[pair]
    wide, narrow = scrambled(make_wide(), 1), scrambled(make_narrow(), 2)
    legatee.inherit(legatee.plan(wide, narrow), wide, narrow)
    assert unlike(narrow, pruned(wide, narrow, (3, side, side), head), head) == []


def unlike(narrow: nn.Module, cut: nn.Module, head: str) -> list[str]:
    """Tensors, the head's aside, that are not bit for bit those of the pruned network."""
    expected = saved(cut)
    return [
        name
        for name, tensor in saved(narrow).items()
        if not name.startswith(head)
        and (tensor.shape != expected[name].shape or bits(tensor) != bits(expected[name]))
    ]


WIDTH = 8  # of one head


def vit(heads: int, hidden: int) -> nn.Module:
    network = timm.models.VisionTransformer(
        img_size=32,
        patch_size=8,
        embed_dim=heads * WIDTH,
        depth=3,
        num_heads=heads,
        mlp_ratio=hidden / (heads * WIDTH),
        num_classes=4,
    )
    for block in network.blocks:
        block.attn.fused_attn = False  # Torch-Pruning cannot see into the fused operation
    return network


def rows_of_heads(heads: list[int], of: int) -> list[int]:
    """Rows of a matrix of queries, keys and values that belong to some of ``of`` heads."""
    return [
        (part * of + head) * WIDTH + i for part in range(3) for head in heads for i in range(WIDTH)
    ]


HEADS = {  # block -> heads that are kept, of the six that there are
    "spread evenly": {"0": [0, 2, 3, 5], "1": [0, 2, 3, 5], "2": [0, 2, 3, 5]},
    "picked by hand": {"0": [0, 1, 4, 5], "1": [1, 2, 3, 4], "2": [2, 3, 4, 5]},
}


@pytest.mark.parametrize("chosen", HEADS)
def test_pruning_whole_heads_leaves_the_tensors_that_were_inherited(chosen):
    heads = HEADS[chosen]
    wide, narrow = scrambled(vit(6, 111), 1), scrambled(vit(4, 50), 2)
    rule = {f"blocks.{b}.attn.qkv": kept for b, kept in heads.items()}
    plan = legatee.plan(wide, narrow, rule="uniform" if chosen == "spread evenly" else rule)
    legatee.inherit(plan, wide, narrow)

    def kept(name: str, size: int, wanted: int) -> list[int]:
        if name.endswith("qkv"):
            return rows_of_heads(heads[name.split(".")[1]], of=6)
        return spread(size, wanted)  # the stream, and the hidden units of each block

    assert unlike(narrow, pruned(wide, narrow, (3, 32, 32), "head", kept), "head") == []
    assert {rest.target for rest in plan.untouched} == {"head.weight", "head.bias"}


DEPTHS = {
    "resnet18 to resnet34": (models.resnet18, models.resnet34, "fc"),
    "resnet50 to resnet34": (models.resnet50, models.resnet34, "fc"),
    "mobilenet_v3_small 1 to 0.5": (
        models.mobilenet_v3_small,
        lambda: models.mobilenet_v3_small(width_mult=0.5),
        "classifier.3",
    ),
}


@cache
def between(pair: str) -> legatee.TransferPlan:
    return legatee.plan(*map(blank, DEPTHS[pair][:2]), example_inputs=torch.zeros(1, 3, 64, 64))


def numbered(network: nn.Module, head: str) -> dict[tuple[str, int], int]:
    """The number of Torch-Pruning's group along each axis of each tensor."""
    names = {module: name for name, module in network.named_modules()}
    number: dict[tuple[str, int], int] = {}
    for count, group in enumerate(groups(network.eval(), (3, 64, 64), head)):
        for dependency, _ in group:
            module = dependency.target.module
            if module not in names:
                continue
            incoming = "in_channels" in dependency.handler.__name__
            for name, tensor in (*module.named_parameters(), *module.named_buffers()):
                if tensor.dim() > incoming:
                    number[f"{names[module]}.{name}", int(incoming)] = count
    return number


@pytest.mark.parametrize("pair", DEPTHS)
def test_between_depths_each_group_of_channels_takes_from_one_group_by_one_index_set(pair):
    make_source, make_target, head = DEPTHS[pair]
    source, target = blank(make_source), blank(make_target)
    theirs, ours = numbered(source, head), numbered(target, head)
    used = defaultdict(set)
    for move in between(pair).moves:
        for axis in range(min(2, len(move.take))):
            if (move.target, axis) in ours:
                pairs = zip(positions(move.put[axis]), positions(move.take[axis]), strict=True)
                taken = theirs.get((move.source, axis)), tuple(sorted(pairs))
                used[ours[move.target, axis]].add(taken)
    assert len(used) > 3
    assert {group: len(kinds) for group, kinds in used.items() if len(kinds) > 1} == {}


@pytest.mark.parametrize("pair", DEPTHS)
def test_between_depths_what_is_not_taken_has_a_reason(pair):
    target = blank(DEPTHS[pair][1])
    plan = between(pair)
    assert {move.target for move in plan.moves}.isdisjoint(e.target for e in plan.untouched)
    assert {entry.target for entry in plan.entries} == set(saved(target))
    assert all(len(entry.reason) > 10 for entry in plan.untouched)
