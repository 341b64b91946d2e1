"""A network is asked once what it is, and messages say which of the two networks they are about."""

import pytest
import torch
from torch import Tensor, nn

import legatee
from legatee.errors import TraceError, TransferError
from legatee.surgery.network import network as record
from legatee.surgery.network.network import Network
from surgery_references import saved, scrambled
from surgery_zoo import Untraceable


class Branching(nn.Module):
    """A network whose channels cannot be traced: what it computes depends on its input's values."""

    def __init__(self, width: int, classes: int = 4, *, traceable: bool = False):
        super().__init__()
        self.stem = nn.Linear(6, width)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)
        self.traceable = traceable

    def forward(self, inputs: Tensor) -> Tensor:
        """Return one score for each class [b, classes]."""
        hidden = torch.relu(self.norm(self.stem(inputs)))
        if not self.traceable and hidden.detach().numpy().sum() > 0:
            hidden = hidden * 2
        return self.head(hidden)


def taken(plan: legatee.TransferPlan) -> set[str]:
    return {move.target for move in plan.moves}


# --- which network it is --------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["source", "target"])
def test_a_refused_share_names_the_network_that_cannot_be_traced(which):
    networks = {"source": Branching(6, traceable=True), "target": Branching(4, traceable=True)}
    networks[which].traceable = False
    with pytest.raises(TraceError, match=f"^the channels of the {which} cannot be traced") as error:
        legatee.plan(**networks, alpha=0.5)
    other = {"source": "target", "target": "source"}[which]
    assert f"of the {other}" not in str(error.value)
    assert "example_inputs=" in str(error.value)


@pytest.mark.parametrize("which", ["source", "target"])
def test_a_head_is_not_copied_where_one_of_the_networks_tells_which_layer_it_is(which):
    networks = {"source": Branching(6, traceable=True), "target": Branching(6, traceable=True)}
    networks[which].traceable = False
    networks["source"].extra = nn.Linear(2, 2)  # so that the architectures differ
    plan = legatee.plan(**networks)
    assert taken(plan) == {"stem.weight", "stem.bias", "norm.weight", "norm.bias"}
    assert len(plan.warnings) == 1
    assert plan.warnings[0].startswith(f"the channels of the {which} cannot be traced")
    reasons = {entry.target: entry.reason for entry in plan.untouched}
    assert set(reasons) == {"head.weight", "head.bias"}
    assert "classification head" in reasons["head.weight"]


def test_a_norm_is_not_copied_without_its_layer_where_the_target_can_be_traced():
    source, target = Branching(6), Branching(6, traceable=True)
    for network in (source, target):
        network.norm = nn.Sequential(network.norm, nn.Linear(6, 6))
    source.stem = nn.Linear(7, 6)
    plan = legatee.plan(source, target)
    assert taken(plan) == {"norm.1.weight", "norm.1.bias"}
    reasons = {entry.target: entry.reason for entry in plan.untouched}
    assert set(reasons) == {*saved(target)} - taken(plan)
    assert "layer" in reasons["norm.0.weight"]


def test_whole_modules_are_copied_bit_for_bit_where_the_source_cannot_be_traced():
    source, target = scrambled(Branching(6), 1), scrambled(Branching(6, 3, traceable=True), 2)
    head = target.head.weight.clone()
    legatee.inherit(legatee.plan(source, target), source, target)
    assert torch.equal(target.stem.weight, source.stem.weight)
    assert torch.equal(target.norm.bias, source.norm.bias)
    assert torch.equal(target.head.weight, head)


def test_equal_architectures_that_cannot_be_traced_are_copied_whole_without_a_warning():
    source, target = scrambled(Untraceable(5), 1), scrambled(Untraceable(5), 2)
    plan = legatee.plan(source, target)
    assert plan.warnings == ()
    legatee.inherit(plan, source, target)
    assert all(torch.equal(value, saved(source)[name]) for name, value in saved(target).items())


# --- once -----------------------------------------------------------------------------------------


def test_each_network_is_traced_once(monkeypatch):
    seen = []
    read = record.read

    def counted(network: nn.Module, *rest: object) -> object:
        seen.append(network)
        return read(network, *rest)

    monkeypatch.setattr(record, "read", counted)
    source, target = Branching(6, traceable=True), Branching(4, traceable=True)
    legatee.plan(source, target, alpha=0.5, rule="largest")
    assert seen == [source, target]


def test_a_network_keeps_its_live_tensors_and_its_catalogue():
    network = Branching(6, traceable=True)
    record = Network.of(network, which="target")
    assert record.state["stem.weight"] is network.stem.weight
    assert list(record.catalog.tensors) == list(record.state)
    assert (record.which, record.name, record.untraced) == ("target", "Branching", "")
    alone = Network.of(record.catalog)
    assert (alone.module, alone.state, alone.name) == (None, {}, "")
    assert alone.catalog is record.catalog


# --- the public catalogue -------------------------------------------------------------------------


def test_a_catalogue_is_taken_in_the_place_of_a_network():
    source, target = Branching(6, traceable=True), Branching(4, traceable=True)
    plan = legatee.plan(source, target)
    again = legatee.plan(legatee.catalog(source), legatee.catalog(target))
    assert again.entries == plan.entries
    assert (plan.source, again.source) == ("Branching", "")


def test_what_cannot_be_catalogued_is_refused_in_a_sentence():
    with pytest.raises(TransferError, match="a network is expected, not a dict"):
        legatee.catalog({})
    with pytest.raises(TraceError, match="the channels of the network cannot be traced"):
        legatee.catalog(Branching(4))
