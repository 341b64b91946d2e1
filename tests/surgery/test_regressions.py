"""Faults found by tests written apart from the code, each of which was mended."""

import json
import resource
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

import legatee
from edited_plans import editable
from legatee.errors import CheckpointError, OutputError, TransferError
from legatee.plans.positions import expand
from legatee.surgery.files.checkpoint import load_weights, read_weights, write_weights
from legatee.surgery.network.catalog import read
from surgery_references import blank, differing, saved, scrambled, snapshot
from surgery_zoo import ZOO, Net, small_resnet


class Registered(Net):
    """One module under two names."""

    def __init__(self, width: int):
        super().__init__(width)
        self.norm = nn.BatchNorm2d(width)
        self.alias = self.norm

    def body(self, x: Tensor) -> Tensor:
        return self.alias(self.norm(x).relu()).relu()


class Shadowed(Net):
    """Has a layer, and one of the same name below a child called ``module``."""

    def __init__(self, width: int):
        super().__init__(width)
        self.conv = nn.Conv2d(width, width, 1)
        self.module = nn.Sequential()
        self.module.add_module("conv", nn.Conv2d(width, width, 1))

    def body(self, x: Tensor) -> Tensor:
        return self.module(self.conv(x).relu()).relu()


def mlp(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(5, width), nn.ReLU(), nn.Linear(width, 3))


def test_planning_leaves_a_module_of_two_names_as_it_was():
    network = scrambled(Registered(4), 1)
    legatee.plan(network, Registered(4))
    assert {str(t.device) for t in snapshot(network).values()} == {"cpu"}


def test_all_of_a_module_of_two_names_is_the_identity():
    source, target = scrambled(Registered(4), 1), scrambled(Registered(4), 2)
    legatee.inherit(legatee.plan(source, target), source, target)
    assert differing(dict(saved(source)), dict(saved(target))) == []


def test_a_child_called_module_is_not_confused_with_its_neighbours():
    source, target = scrambled(Shadowed(4), 1), scrambled(Shadowed(4), 2)
    legatee.inherit(legatee.plan(source, target), source, target)
    assert differing(dict(saved(source)), dict(saved(target))) == []


def test_a_prefix_is_removed_once_and_only_where_all_names_have_it():
    def inner() -> nn.Module:
        network = nn.Sequential()
        network.add_module("module", nn.Linear(4, 4))
        network.add_module("model", nn.Linear(4, 2))
        return network

    source, target = nn.Sequential(), inner()
    source.add_module("module", inner())
    plan = legatee.plan(source, target, head=False)
    assert {m.target: m.source for m in plan.moves} == {
        f"module.{leaf}": f"module.module.{leaf}" for leaf in ("weight", "bias")
    }


def test_a_data_parallel_source_is_followed():
    source, target = small_resnet(6), small_resnet(4)
    expected = legatee.plan(source, target).inherited_fraction
    assert legatee.plan(nn.DataParallel(source), target).inherited_fraction == expected


def test_all_of_a_wrapped_network_into_the_bare_one_is_the_identity():
    source, target = scrambled(small_resnet(4), 1), scrambled(small_resnet(4), 2)
    wrapper = nn.Sequential()
    wrapper.add_module("module", source)
    legatee.inherit(legatee.plan(wrapper, target), wrapper, target)
    assert differing(dict(saved(source)), dict(saved(target))) == []


def test_a_bias_alone_is_nothing_to_inherit():
    source, target = blank(lambda: ZOO["grouped"](12)), blank(lambda: ZOO["grouped"](8))
    with pytest.raises(TransferError, match="a channel covers 4 positions in the target, 6 in the"):
        legatee.plan(source, target)


def test_bias_and_normalisation_never_travel_without_the_layer_that_feeds_them():
    source, target = blank(models.resnet50), blank(models.resnet34)
    moved = {move.target for move in legatee.plan(source, target).moves}
    owners = {}  # what follows a layer channel by channel -> that layer's weight
    for name, module in target.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            owners[f"{name}.bias"] = f"{name}.weight"
        if isinstance(module, nn.BatchNorm2d):
            before = name.replace("bn", "conv").replace("downsample.1", "downsample.0")
            for leaf in ("weight", "bias", "running_mean", "running_var"):
                owners[f"{name}.{leaf}"] = f"{before}.weight"
    assert sorted(n for n in moved & set(owners) if owners[n] not in moved) == []


def test_the_input_is_guessed_from_a_layer_not_from_a_free_parameter():
    catalog = read(ZOO["broadcast"](4))
    assert any(("stem.weight", 0) in group.members for group in catalog.groups)


def test_planning_works_in_inference_mode():
    source, target = small_resnet(6), small_resnet(4)
    expected = legatee.plan(source, target)
    with torch.inference_mode():
        assert legatee.plan(source, target) == expected


# --- plans that are damaged -----------------------------------------------------------------------


def forged(change: dict[str, str]) -> tuple[legatee.TransferPlan, nn.Module, nn.Module]:
    source, target = mlp(6), mlp(4)
    document = editable(legatee.plan(source, target))
    document["entries"][0] |= change
    return legatee.TransferPlan.from_json(json.dumps(document)), source, target


@pytest.mark.parametrize(
    "change",
    [{"target": "nowhere.weight"}, {"source": "nowhere.weight"}, {"source": "2.weight"}],
    ids=str,
)
def test_a_plan_that_names_other_tensors_is_refused_by_name(change):
    plan, source, target = forged(change)
    with pytest.raises(TransferError, match=r"nowhere\.weight|0\.weight|2\.weight"):
        legatee.inherit(plan, source, target)


def test_a_plan_that_writes_an_element_twice_is_refused():
    source, target = mlp(6), mlp(4)
    document = editable(legatee.plan(source, target))
    document["entries"].append(document["entries"][0])
    with pytest.raises(TransferError, match=r"0\.weight"):
        legatee.inherit(legatee.TransferPlan.from_json(json.dumps(document)), source, target)


def test_a_plan_whose_share_is_outside_0_to_1_is_refused():
    document = editable(legatee.plan(mlp(6), mlp(4)))
    document["options"]["alpha"] = 1.5
    with pytest.raises(TransferError, match=r"options\.alpha"):
        legatee.TransferPlan.from_json(json.dumps(document))


@pytest.mark.parametrize("text", ["0:4,", "0: 4"])
def test_positions_that_compress_never_writes_are_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        expand(text)


# --- files ----------------------------------------------------------------------------------------


def test_a_full_disk_is_an_unusable_output(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(OutputError, match=r"a\.safetensors"):
            write_weights(tmp_path / "a.safetensors", small_resnet(4), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_loading_into_a_narrower_type_does_not_overflow(tmp_path):
    source, target = mlp(4), mlp(4).half()
    with torch.no_grad():
        source[0].weight.fill_(70000.0)
    write_weights(tmp_path / "a.safetensors", source, {})
    before = snapshot(target)
    with pytest.raises(TransferError, match=r"0\.weight"):
        load_weights(target, tmp_path / "a.safetensors")
    assert differing(before, snapshot(target)) == []


@pytest.mark.parametrize("kind", ["network", "empty"])
def test_the_refusal_of_a_file_is_one_plain_line_with_a_cause(tmp_path, kind):
    path = tmp_path / "a.pt"
    if kind == "network":
        torch.save(mlp(4), path)
    else:
        Path(path).write_bytes(b"")
    with pytest.raises(CheckpointError) as refusal:
        read_weights(path)
    text = str(refusal.value)
    assert "\n" not in text
    assert "\x1b" not in text
    assert not text.rstrip().endswith(":")
