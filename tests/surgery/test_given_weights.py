"""Files and states that hold the right weights under longer names, with more beside them or less.

What they should give is what the network itself gives, whose state is taken as it is.
"""

import copy
from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

import legatee
from legatee.errors import LegateeError, TransferError
from legatee.models.resolve import ModelSpec, load, weights_of
from legatee.surgery.files.checkpoint import load_weights, read_weights
from surgery_references import differing, saved, scrambled, snapshot
from surgery_zoo import small_resnet

SPEC = "resnet:depth=8,width=6"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def network() -> nn.Module:
    network = scrambled(blank(), 1)
    for name, value in network.named_buffers():
        if "num_batches" in name:
            value.zero_()  # what a file without counters stands for
    return network


def blank() -> nn.Module:
    return load(ModelSpec.parse(SPEC), num_classes=5, input_shape=(3, 16, 16))


def named(network: nn.Module, prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": value for name, value in network.state_dict().items()}


PREFIXED = {
    "Lightning": lambda n: {"state_dict": named(n, "model."), "epoch": 3},
    "beside a loss": lambda n: named(n, "model.") | {"criterion.weight": torch.ones(10)},
    "an average": lambda n: AveragedModel(n).state_dict(),
    "wrapped twice": lambda n: named(n, "module._orig_mod."),
    "wrapped twice, the other way": lambda n: named(n, "_orig_mod.module."),
    "a teacher beside its head": lambda n: (
        named(n, "module.backbone.") | {"module.head.mlp.0.weight": torch.ones(3, 512)}
    ),
    "a prefix of one's own": lambda n: named(n, "networks.student."),
}
OF_OTHERS = {  # and these hold all that is taken, but not what load_weights needs
    "a head beside": lambda n: n.state_dict() | {"projector.weight": torch.ones(4, 6)},
    "without the head": lambda n: {
        name: value for name, value in n.state_dict().items() if not name.startswith("head.")
    },
}
WHOLE = {
    "without counters": lambda n: {
        name: value for name, value in n.state_dict().items() if "num_batches" not in name
    },
    "buffers of older code": lambda n: (
        n.state_dict() | {"position_ids": torch.arange(9), "conv.total_ops": torch.zeros(1)}
    ),
}


@pytest.mark.parametrize("kind", [*PREFIXED, *OF_OTHERS, *WHOLE])
@pytest.mark.parametrize("from_file", [True, False])
def test_a_state_gives_what_its_network_gives(network, kind, from_file):
    target = scrambled(small_resnet(4, classes=3), 2)
    plan, other = legatee.plan(network, target), copy.deepcopy(target)
    legatee.inherit(plan, network, target)
    content = (PREFIXED | OF_OTHERS | WHOLE)[kind](network)
    if from_file:
        torch.save(content, "a.pt")
        content = read_weights("a.pt")
    legatee.inherit(plan, content.get("state_dict", content), other)
    assert differing(snapshot(target), snapshot(other)) == []


@pytest.mark.parametrize("kind", [*PREFIXED, *OF_OTHERS, *WHOLE])
def test_the_command_line_reads_what_a_network_needs_of_a_file(network, kind):
    torch.save((PREFIXED | OF_OTHERS | WHOLE)[kind](network), "a.pt")
    _, weights = weights_of(ModelSpec.parse(f"{SPEC}@a.pt"))
    own = dict(saved(network))
    assert {*own} - {*weights} == ({"head.weight", "head.bias"} if "without the" in kind else set())
    assert differing({name: own[name] for name in weights}, dict(weights)) == []


@pytest.mark.parametrize("kind", [*PREFIXED, *WHOLE])
def test_a_network_is_filled_from_a_file_with_a_prefix(network, kind):
    torch.save((PREFIXED | WHOLE)[kind](network), "a.pt")
    filled = load_weights(blank(), "a.pt")
    assert differing(dict(saved(network)), dict(saved(filled))) == []


@pytest.mark.parametrize("kind", OF_OTHERS)
def test_a_network_is_not_filled_with_other_weights_than_its_own(network, kind):
    torch.save(OF_OTHERS[kind](network), "a.pt")
    with pytest.raises(TransferError, match=r"head\.|projector"):
        load_weights(network, "a.pt")


def test_numbers_of_classes_are_read_behind_a_prefix(network):
    torch.save(named(network, "model."), "a.pt")
    made, _ = weights_of(ModelSpec.parse(f"{SPEC}@a.pt"))
    assert made.head.out_features == 5


def test_half_precision_of_everything_is_read_and_counters_stay_whole(network):
    for name, value in network.named_buffers():
        if "num_batches" in name:
            value.fill_(1_000)
    halves = {name: value.half() for name, value in network.state_dict().items()}
    target = small_resnet(4, classes=3)
    plan = legatee.plan(network, target)
    legatee.inherit(plan, halves, target)
    exact = copy.deepcopy(target)
    legatee.inherit(plan, network, exact)
    for name, value in exact.state_dict().items():
        assert torch.allclose(value.float(), target.state_dict()[name].float(), atol=2e-3), name


def test_a_counter_beyond_its_type_is_the_largest_count_of_that_type():
    source, target = nn.BatchNorm1d(4), nn.BatchNorm1d(4)
    plan = legatee.plan(
        nn.Sequential(nn.Linear(3, 4), source), nn.Sequential(nn.Linear(3, 4), target)
    )
    state = nn.Sequential(nn.Linear(3, 4), source).half().state_dict()
    state["1.num_batches_tracked"] = torch.tensor(500_000).half()
    network = nn.Sequential(nn.Linear(3, 4), target)
    legatee.inherit(plan, state, network)
    assert network[1].num_batches_tracked.item() == 65_504


# --- what is still refused ------------------------------------------------------------------------


def test_the_weights_of_a_deeper_network_are_those_of_another():
    def stages(depth: int, width: int) -> nn.Module:
        layers = [nn.Linear(6, width), *(nn.Linear(width, width) for _ in range(depth))]
        return nn.Sequential(OrderedDict(stages=nn.Sequential(*layers), head=nn.Linear(width, 3)))

    shallow, deep, target = stages(1, 8), stages(2, 8), stages(1, 4)
    plan = legatee.plan(shallow, target)
    with pytest.raises(TransferError, match="which that source does not have"):
        legatee.inherit(plan, deep.state_dict(), target)


def test_a_state_without_a_tensor_that_the_plan_takes_is_refused_by_its_name(network):
    plan = legatee.plan(network, target := small_resnet(4))
    state = network.state_dict()
    taken = next(move.source for move in plan.moves if move.source.endswith("weight"))
    del state[taken]
    with pytest.raises(TransferError, match=f"it has no tensor '{taken}'"):
        legatee.inherit(plan, state, target)


def test_two_networks_in_one_file_are_told_apart_by_their_prefix(network):
    other = scrambled(copy.deepcopy(network), 7)
    torch.save(named(network, "encoder_q.") | named(other, "encoder_k."), "a.pt")
    with pytest.raises(LegateeError, match=r"'encoder_q' and 'encoder_k': say which"):
        load_weights(blank(), "a.pt")
    filled = load_weights(blank(), "a.pt", key="encoder_k")
    assert differing(dict(saved(other)), dict(saved(filled))) == []
    _, weights = weights_of(ModelSpec.parse(f"{SPEC}@a.pt#encoder_q"))
    assert differing(dict(saved(network)), dict(weights)) == []


# --- tied tensors ---------------------------------------------------------------------------------


class Words(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.embed = nn.Embedding(30, width)
        self.mix = nn.Linear(width, width)
        self.head = nn.Linear(width, 30, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        return self.head(self.mix(self.embed(x)).relu())


@pytest.mark.parametrize("left_out", ["embed.weight", "head.weight", None])
def test_tied_tensors_are_read_under_either_name_or_as_equal_copies(left_out):
    source, target = scrambled(Words(16), 1), Words(8)
    plan, exact = legatee.plan(source, target), copy.deepcopy(target)
    legatee.inherit(plan, source, exact)
    state = {name: v.clone() for name, v in source.state_dict().items() if name != left_out}
    legatee.inherit(plan, state, target)
    assert differing(snapshot(exact), snapshot(target)) == []
    torch.save(state, "a.pt")
    assert differing(snapshot(source), snapshot(load_weights(Words(16), "a.pt"))) == []


def test_tied_tensors_with_different_values_are_refused():
    source, target = Words(16), Words(8)
    state = {name: value.clone() for name, value in source.state_dict().items()}
    state["head.weight"] += 1
    torch.save(state, "a.pt")
    message = "'embed.weight' and 'head.weight' with different values"
    with pytest.raises(TransferError, match=message):
        legatee.inherit(legatee.plan(source, target), state, target)
    with pytest.raises(TransferError, match=message):
        load_weights(source, "a.pt")
