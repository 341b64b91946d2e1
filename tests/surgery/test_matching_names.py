import copy

import pytest
from torch import nn

import legatee
from legatee.errors import TransferError
from surgery_references import differing, saved, scrambled, snapshot
from surgery_zoo import small_resnet


def mlp(width: int, classes: int = 3) -> nn.Module:
    return nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, classes))


def taken(plan: legatee.TransferPlan) -> set[str]:
    return {move.target for move in plan.moves}


# --- explicit matches -----------------------------------------------------------------------------


class Housed(nn.Module):
    """A network whose features have another name."""

    def __init__(self, name: str, width: int):
        super().__init__()
        layers = [nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU()]
        self.add_module(name, nn.Sequential(*layers, nn.Conv2d(width, width, 3)))
        self.name = name
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        return self.head(self.get_submodule(self.name)(x).relu().mean((2, 3)))


def test_a_match_by_module_renames_all_that_is_below():
    source, target = Housed("backbone", 6), Housed("encoder", 4)
    plan = legatee.plan(source, target, match={"encoder": "backbone"})
    expected = {n: n.replace("encoder", "backbone") for n in saved(target) if "encoder" in n}
    assert {move.target: move.source for move in plan.moves} == expected


def test_a_match_copies_from_what_it_names():
    source, target = (scrambled(Housed(n, 5), i) for i, n in enumerate(("backbone", "encoder")))
    plan = legatee.plan(source, target, match={"encoder": "backbone"})
    legatee.inherit(plan, source, target)
    assert not differing(snapshot(source.backbone), snapshot(target.encoder))


def test_a_match_by_tensor_moves_that_tensor():
    source, target = mlp(6), mlp(4)
    plan = legatee.plan(source, target, match={"0.weight": "0.weight"})
    assert taken(plan) == {"0.weight"}


def test_a_match_is_whole_words_of_a_name():
    layers = {str(i): nn.Linear(4, 4) for i in (1, 10, 11)}
    source = nn.Sequential()
    for name, layer in layers.items():
        source.add_module(f"layer{name}", layer)
    target = copy.deepcopy(source)
    plan = legatee.plan(source, target, match={"layer1": "layer1"}, head=False)
    assert taken(plan) == {"layer1.weight", "layer1.bias"}


def test_names_outside_the_match_have_a_reason():
    plan = legatee.plan(small_resnet(6), small_resnet(4), match={"blocks.0": "blocks.0"})
    outside = {e.target for e in plan.untouched}
    assert outside >= {"conv.weight", "norm.weight", "blocks.1.conv1.weight"}
    assert all(e.reason for e in plan.untouched)


@pytest.mark.parametrize("match", [{"nowhere": "0"}, {"0": "nowhere"}])
def test_a_match_that_names_what_is_not_there_is_refused(match):
    with pytest.raises(TransferError, match="nowhere"):
        legatee.plan(mlp(6), mlp(4), match=match)


def test_a_shorter_source_is_matched_block_by_block():
    source, target = small_resnet(6), small_resnet(4, depth=14)
    match = {"conv": "conv", "norm": "norm", "blocks.0": "blocks.0", "blocks.1": "blocks.0"}
    plan = legatee.plan(source, target, match=match)
    sources = {move.target: move.source for move in plan.moves}
    assert sources["blocks.1.conv1.weight"] == "blocks.0.conv1.weight"


# --- prefixes of wrappers -------------------------------------------------------------------------


def wrapped(network: nn.Module, prefix: str) -> nn.Module:
    """Put a prefix before every name, as DataParallel and torch.compile do."""

    class Wrapper(nn.Module):
        def forward(self, x):
            return self.get_submodule(prefix)(x)

    wrapper = Wrapper()
    wrapper.add_module(prefix, network)
    return wrapper


@pytest.mark.parametrize("side", ["source", "target", "both"])
@pytest.mark.parametrize("prefix", ["module", "_orig_mod"])
def test_the_prefix_of_a_wrapper_is_no_difference(prefix, side):
    source, target = small_resnet(6), small_resnet(4)
    expected = legatee.plan(source, target).inherited_fraction
    ours = wrapped(source, prefix) if side != "target" else source
    theirs = wrapped(target, prefix) if side != "source" else target
    assert legatee.plan(ours, theirs).inherited_fraction == expected > 0.9


def test_networks_of_other_names_are_refused_with_reasons():
    with pytest.raises(TransferError, match=r"encoder\.0\.weight|head\.weight"):
        legatee.plan(Housed("backbone", 4), Housed("encoder", 4), match=None, head=False)
