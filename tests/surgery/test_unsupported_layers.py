"""Inherited layers whose inputs are not inherited, and norms whose layer is not inherited."""

from collections import OrderedDict

import pytest
import timm
import torch
from torch import nn
from torchvision import models

import legatee
from legatee.errors import TransferError
from legatee.surgery.network.catalog import read
from legatee.surgery.network.dataflow import layers_before
from surgery_references import positions


def meta(make):
    with torch.device("meta"):
        return make()


def lite(name: str) -> nn.Module:
    return meta(lambda: timm.create_model(name))


def warnings_with(plan: legatee.TransferPlan, words: str) -> list[str]:
    return [warning for warning in plan.warnings if words in warning]


def chain(*kernels: int, width: int = 6) -> nn.Sequential:
    """Convolutions with norms, three channels to ``width``, and two outputs at the end."""
    layers: list[tuple[str, nn.Module]] = []
    for number, kernel in enumerate(kernels):
        read_ = 3 if number == 0 else width
        conv = nn.Conv2d(read_, width, kernel, padding=kernel // 2, bias=False)
        layers += [(f"conv{number}", conv), (f"bn{number}", nn.BatchNorm2d(width))]
        layers += [(f"relu{number}", nn.ReLU())]
    return nn.Sequential(OrderedDict([*layers, ("out", nn.Conv2d(width, 2, 1))]))


def test_a_layer_behind_one_that_is_not_inherited_is_named_and_counted():
    plan = legatee.plan(chain(3, 5, 3), chain(3, 3, 3), class_map={0: 0, 1: 1})
    sizes = {move.target: move.inherited_elements for move in plan.moves}
    assert "conv1.weight" not in sizes  # its kernel is smaller here
    assert plan.unsupported_elements == sizes["conv2.weight"] == 6 * 6 * 3 * 3
    assert warnings_with(plan, "none of which") == [
        "1 inherited layer reads channels none of which is inherited: 'conv2.weight'"
    ]
    share = 324 / sum(sizes.values())
    assert f", {share:.1%} of these in layers that read nothing inherited (" in str(plan)


def test_a_plan_in_which_everything_reads_what_is_inherited_says_nothing_of_it():
    plan = legatee.plan(chain(3, 3, 3), chain(3, 3, 3, width=4), class_map={0: 0})
    assert plan.unsupported_elements == 0
    assert plan.warnings == ()
    assert "nothing inherited" not in str(plan)


@pytest.mark.parametrize(("kernels", "more"), [((1, 1, 1), ""), ((1, 1, 1, 1, 1), " and 2 more")])
def test_the_first_three_layers_are_named_and_the_others_counted(kernels, more):
    """Every second convolution is larger than in the source, so every second one reads noise."""
    small = [kernel for kernel in kernels for kernel in (3, kernel)]
    large = [kernel for kernel in kernels for kernel in (5, kernel)]
    source, target = chain(*small), chain(*large)
    plan = legatee.plan(source, target, include=[f"conv{n}" for n in range(1, 2 * len(kernels), 2)])
    assert warnings_with(plan, "none of which") == [
        f"{len(kernels)} inherited layers read channels none of which is inherited: "
        f"'conv1.weight', 'conv3.weight', 'conv5.weight'{more}"
    ]


def test_statistics_are_not_inherited_without_the_layer_that_they_normalise():
    plan = legatee.plan(chain(3, 5, 3), chain(3, 3, 3))
    reasons = {entry.target: entry.reason for entry in plan.untouched}
    leaves = ("weight", "bias", "running_mean", "running_var")
    for leaf in leaves:
        assert reasons[f"bn1.{leaf}"] == "no layer that computes its channels is inherited"
    assert reasons["bn1.num_batches_tracked"] == "no other tensor of its module is inherited"
    assert {f"bn{n}.{leaf}" for n in (0, 2) for leaf in leaves} < {m.target for m in plan.moves}


class Depthwise(nn.Module):
    """An expansion, a depthwise convolution and a projection, each with its norm."""

    def __init__(self, kernel: int, expand: int = 1):
        super().__init__()
        self.expand = nn.Conv2d(3, 8, expand, padding=expand // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, kernel, padding=kernel // 2, groups=8, bias=False)
        self.bn2 = nn.BatchNorm2d(8)
        self.project = nn.Conv2d(8, 4, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = self.bn1(self.expand(x)).relu()
        x = self.bn2(self.depthwise(x)).relu()
        return self.head(self.bn3(self.project(x)).mean((2, 3)))


def test_channels_that_run_through_a_fresh_depthwise_convolution_are_not_inherited_ones():
    """The expansion makes the same channels, but the norm and the projection do not read it."""
    plan = legatee.plan(Depthwise(5), Depthwise(3))
    moved = {move.target for move in plan.moves}
    assert {"expand.weight", "bn1.running_mean", "project.weight", "bn3.running_mean"} < moved
    assert not any(name.startswith(("bn2.", "depthwise.")) for name in moved)
    assert plan.unsupported_elements == 4 * 8


def test_a_depthwise_convolution_behind_a_fresh_expansion_reads_nothing_inherited():
    plan = legatee.plan(Depthwise(3, expand=3), Depthwise(3, expand=1))
    moved = {move.target for move in plan.moves}
    assert "depthwise.weight" in moved
    assert not any(name.startswith("bn1.") for name in moved)
    assert warnings_with(plan, "none of which") == [
        "1 inherited layer reads channels none of which is inherited: 'depthwise.weight'"
    ]
    assert plan.unsupported_elements == 8 * 3 * 3


class Beside(nn.Module):
    """Two convolutions side by side, one norm for both, and a layer that reads them."""

    def __init__(self, kernel: int):
        super().__init__()
        self.left = nn.Conv2d(3, 4, 1)
        self.right = nn.Conv2d(3, 5, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm2d(9)
        self.mix = nn.Conv2d(9, 6, 1)
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        both = torch.cat([self.left(x), self.right(x)], 1)
        return self.head(self.mix(self.norm(both).relu()).relu().mean((2, 3)))


def test_of_a_norm_over_several_layers_only_the_channels_of_inherited_layers_are_taken():
    plan = legatee.plan(Beside(5), Beside(3))
    moves = {move.target: move for move in plan.moves}
    assert "right.weight" not in moves
    for leaf in ("weight", "bias", "running_mean", "running_var"):
        assert positions(moves[f"norm.{leaf}"].put[0]) == [0, 1, 2, 3]
        assert positions(moves[f"norm.{leaf}"].take[0]) == [0, 1, 2, 3]
    assert plan.unsupported_elements == 0  # the next layer reads the four of the left one


def test_a_layer_that_adds_an_inherited_and_a_fresh_branch_reads_something_inherited():
    network = models.resnet18()
    plan = legatee.plan(network, models.resnet18(), exclude=["layer1.0.conv2"])
    assert plan.unsupported_elements == 0
    without = legatee.plan(network, models.resnet18(), exclude=["layer1.0.conv2", "conv1"])
    names = {warning.partition(": ")[2] for warning in warnings_with(without, "none of which")}
    assert names == {"'layer1.0.conv1.weight', 'layer1.1.conv1.weight'"}


def test_a_quarter_of_what_a_mobilenet_inherits_from_an_efficientnet_reads_noise():
    """The last convolution takes 320 of its 960 columns, all from a layer that is not inherited."""
    source, target = lite("tf_efficientnet_lite0"), lite("mobilenetv3_large_100")
    plan = legatee.plan(source, target)
    moves = {move.target: move for move in plan.moves}
    assert "blocks.6.0.conv.weight" not in moves
    assert moves["conv_head.weight"].inherited_elements == 1280 * 320
    assert plan.unsupported_elements >= 1280 * 320
    named = " ".join(warnings_with(plan, "none of which"))
    assert named.startswith("4 inherited layers read channels none of which is inherited")
    assert not any(name.startswith("blocks.4.1.bn2") for name in moves)


def test_by_roles_no_norm_is_inherited_beside_a_convolution_that_is_not():
    source, target = lite("tf_efficientnet_lite0"), meta(models.resnet18)
    plan = legatee.plan(source, target, match="roles")
    moved = {move.target for move in plan.moves}
    assert "layer2.0.downsample.1.running_mean" in moved
    for name in (name for name in moved if "bn" in name):
        assert f"{name.rpartition('.')[0].replace('bn', 'conv')}.weight" in moved


def test_the_layers_before_a_layer_are_found_through_norms_and_sums():
    catalog = read(meta(models.resnet18))
    numbers = {use.main: n for n, use in enumerate(catalog.uses)}
    before = {
        name: {catalog.uses[n].main for n in layers_before(catalog.uses)[number] if n >= 0}
        for name, number in numbers.items()
    }
    assert before["layer1.0.bn1.weight"] == {"layer1.0.conv1.weight"}
    assert before["layer1.1.conv1.weight"] == {"conv1.weight", "layer1.0.conv2.weight"}
    first, second = "layer2.0.downsample.0.weight", "layer2.0.conv2.weight"
    assert before["layer2.1.conv1.weight"] == {first, second}
    assert before["fc.weight"] == {
        "layer4.0.downsample.0.weight",
        "layer4.0.conv2.weight",
        "layer4.1.conv2.weight",
    }
    assert layers_before(catalog.uses)[numbers["conv1.weight"]] == {-1}


def test_a_plan_with_a_negative_count_is_refused():
    plan = legatee.plan(chain(3, 5, 3), chain(3, 3, 3))
    damaged = plan.to_json().replace('"unsupported_elements": 324', '"unsupported_elements": -1')
    assert damaged != plan.to_json()
    with pytest.raises(TransferError):
        legatee.TransferPlan.from_json(damaged)
