"""Evidence is measured in batches, of each example by itself, from whatever the data is kept in."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
from torchvision import models

import legatee
from legatee.surgery.network.network import Network
from legatee.surgery.planning import evidence
from legatee.surgery.planning.evidence import Activity, measure
from surgery_references import positions, scrambled
from surgery_zoo import small_resnet

COUNT = 150  # more than two batches
INPUTS = torch.randn(COUNT, 3, 16, 16, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(COUNT) % 4
INPUTS = INPUTS + LABELS[:, None, None, None] * 0.3


class Positions(nn.Module):
    """An encoder that lays the positions of all examples before the examples, if asked to."""

    def __init__(self, *, positions_first: bool):
        super().__init__()
        self.stem = nn.Conv2d(3, 10, 4, stride=4)
        self.first, self.second, self.head = nn.Linear(10, 12), nn.Linear(12, 10), nn.Linear(10, 4)
        self.positions_first = positions_first

    def forward(self, inputs: Tensor) -> Tensor:
        """Return one score for each class [b, 4]."""
        tokens = self.stem(inputs).flatten(2)  # [b, channels, positions]
        first = self.positions_first
        tokens = tokens.permute(2, 0, 1) if first else tokens.permute(0, 2, 1)
        tokens = torch.relu(tokens.contiguous())
        tokens = self.second(torch.relu(self.first(tokens)))
        return self.head(tokens.mean(0 if first else 1))


class Mixing(nn.Module):
    """A network in which an example cannot be told from the others of its batch."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return one score for each class [b, 4]."""
        flat = inputs.flatten(1)[:, :6]
        order = flat.sum(1).argsort()
        return self.second(torch.relu(self.first(flat[order])))[order.argsort()]


def one_by_one(network: nn.Module, layer: str, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Means and maxima of what a layer reads, of one example after the other [n, channels]."""
    seen = []
    handle = network.get_submodule(layer).register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    with torch.no_grad():
        for example in inputs:
            network.eval()(example[None])
    handle.remove()
    flat = [x[0].flatten(1).T if x.ndim == 4 else x.reshape(-1, x.shape[-1]) for x in seen]
    return torch.stack([x.double().mean(0) for x in flat]), torch.stack([x.amax(0) for x in flat])


def by_hand(means: Tensor, peaks: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Share of active examples, and variance of the class means over that within classes."""
    groups = [means[labels == c] for c in labels.unique()]
    weights = torch.tensor([len(g) / len(means) for g in groups])[:, None]
    centres = torch.stack([g.mean(0) for g in groups])
    between = (weights * (centres - means.mean(0)) ** 2).sum(0)
    within = sum((g - g.mean(0)).square().sum(0) for g in groups) / len(means)
    return (peaks > 0).double().mean(0), between / within


def at(network: nn.Module, found: list[Activity | None], weight: str) -> Activity:
    """What was measured of the channels that a layer computes."""
    (number,) = legatee.catalog(network, INPUTS).groups_along[weight, 0]
    return found[number]


NETWORKS = {
    "examples first": (lambda: Positions(positions_first=False), "first.weight", "second"),
    "positions first": (lambda: Positions(positions_first=True), "first.weight", "second"),
    "mixing": (Mixing, "first.weight", "second"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_each_example_is_measured_by_itself_in_batches(name):
    make, weight, reader = NETWORKS[name]
    network = scrambled(make(), 1)
    found = measure(Network.of(network, INPUTS), (INPUTS, LABELS), classes=True)
    active, signal = by_hand(*one_by_one(network, reader, INPUTS), LABELS)
    assert torch.allclose(torch.from_numpy(at(network, found, weight).active), active)
    assert torch.allclose(torch.from_numpy(at(network, found, weight).signal), signal, rtol=1e-3)


def runs(network: nn.Module, data: object, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many examples the network sees in each run."""
    sizes = []
    seen_by_layers = evidence.seen_by_layers

    def counted(module, names, device, batch, known):
        sizes.append(batch.size)
        return seen_by_layers(module, names, device, batch, known)

    monkeypatch.setattr(evidence, "seen_by_layers", counted)
    measure(Network.of(network, INPUTS), data)
    return sizes


@pytest.mark.parametrize("name", ["examples first", "positions first"])
def test_a_network_whose_rows_can_be_told_sees_whole_batches(name, monkeypatch):
    network = scrambled(NETWORKS[name][0](), 1)
    assert runs(network, INPUTS, monkeypatch) == [1, 1, 1, 1, 4, 64, 64, 22]


def test_residual_networks_and_vision_transformers_see_whole_batches(monkeypatch):
    vit = models.VisionTransformer(16, 8, 2, 2, 16, 32, num_classes=4)
    for network in (small_resnet(6), vit):
        assert runs(scrambled(network, 1), INPUTS, monkeypatch) == [1, 1, 1, 1, 4, 64, 64, 22]


def test_a_network_that_mixes_its_examples_sees_one_at_a_time(monkeypatch):
    assert set(runs(scrambled(Mixing(), 1), INPUTS[:9], monkeypatch)[5:]) == {1}


def test_where_all_positions_of_the_first_examples_are_alike_one_is_seen_at_a_time(monkeypatch):
    data = torch.cat([torch.zeros(4, 3, 16, 16), INPUTS[:60]])
    network = scrambled(Positions(positions_first=True), 1)
    found = measure(Network.of(network, INPUTS), data)
    active = (one_by_one(network, "second", data)[1] > 0).double().mean(0)
    assert torch.allclose(torch.from_numpy(at(network, found, "first.weight").active), active)
    assert runs(network, data, monkeypatch)[5:] == [1] * 64


def test_attention_is_measured_although_pytorch_would_fuse_it():
    vit = scrambled(models.VisionTransformer(16, 8, 1, 2, 16, 32, num_classes=4), 1)
    before = torch.backends.mha.get_fastpath_enabled()
    found = measure(Network.of(vit, INPUTS), INPUTS[:20])
    assert torch.backends.mha.get_fastpath_enabled() == before
    name = "encoder.layers.encoder_layer_0.self_attention.in_proj_weight"
    numbers = legatee.catalog(vit, INPUTS).groups_along[name, 1]
    assert all(found[number] is not None for number in numbers)


# --- what data may be -----------------------------------------------------------------------------


class Pairs(Dataset):
    """A data set as users write it."""

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return INPUTS[index], int(LABELS[index])


class Stream(IterableDataset):
    """A data set without a length."""

    def __iter__(self):
        return iter(zip(INPUTS, LABELS, strict=True))


class Dictionaries(Dataset):
    """A data set whose items have names, as those of transformers do."""

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, index: int) -> dict[str, object]:
        return {"inputs": INPUTS[index], "labels": int(LABELS[index])}


@pytest.mark.parametrize("rule", ["active", "signal"])
@pytest.mark.parametrize(
    "data",
    [
        [INPUTS, LABELS],
        Pairs(),
        Stream(),
        TensorDataset(INPUTS, LABELS),
        Dictionaries(),
        DataLoader(Pairs(), batch_size=7),
        DataLoader(Pairs(), batch_size=1),
        DataLoader(Pairs(), batch_size=COUNT),
    ],
    ids=["list", "data set", "stream", "tensors", "dictionaries", "of 7", "of 1", "of all"],
)
def test_data_may_be_kept_in_anything_that_pytorch_knows(data, rule):
    source, target = scrambled(Positions(positions_first=True), 1), Positions(positions_first=True)
    source.stem, target.stem = nn.Conv2d(3, 10, 4, stride=4), nn.Conv2d(3, 10, 4, stride=4)
    target.first, target.second = nn.Linear(10, 5), nn.Linear(5, 10)
    scrambled(source, 3)
    data = tuple(data) if isinstance(data, list) else data
    options = {"rule": rule, "threshold": 0.0, "example_inputs": INPUTS}
    plan = legatee.plan(source, target, data=data, **options)
    active, signal = by_hand(*one_by_one(source, "second", INPUTS), LABELS)
    scores = active if rule == "active" else signal
    (move,) = [move for move in plan.moves if move.target == "second.weight"]
    best = sorted(scores.argsort(descending=True, stable=True)[:5].tolist())
    assert positions(move.take[1]) == best


def test_all_examples_are_used():
    network = scrambled(Positions(positions_first=False), 1)
    few = measure(Network.of(network, INPUTS), INPUTS[:64])
    rare = torch.cat([INPUTS[:64], 50 * INPUTS[64:65]])  # the last example alone in its batch
    more = measure(Network.of(network, INPUTS), rare)
    counts = at(network, more, "first.weight").active * 65 - (
        at(network, few, "first.weight").active * 64
    )
    assert {round(float(count)) for count in counts} <= {0, 1}
    _, peaks = one_by_one(network, "second", rare[-1:])
    assert [round(float(count)) for count in counts] == (peaks[0] > 0).int().tolist()


def test_several_inputs_by_name_are_measured():
    class Two(nn.Module):
        def __init__(self, width: int):
            super().__init__()
            self.a, self.b, self.head = (
                nn.Linear(4, width),
                nn.Linear(3, width),
                nn.Linear(width, 2),
            )

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            """Return one score for each class [b, 2]."""
            return self.head(torch.relu(self.a(a) + self.b(b)))

    source = scrambled(Two(6), 1)
    data = {"a": torch.randn(20, 4), "b": torch.randn(20, 3)}
    plan = legatee.plan(source, Two(2), rule="active", threshold=0, example_inputs=data, data=data)
    hidden = torch.relu(source.a(data["a"]) + source.b(data["b"]))
    best = sorted((hidden > 0).double().mean(0).argsort(descending=True, stable=True)[:2].tolist())
    (move,) = [move for move in plan.moves if move.target == "b.weight"]
    assert positions(move.take[0]) == best
