"""Rules that rank channels, against the plainest measurement of the same thing: a forward hook."""

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

import legatee
from legatee.errors import TransferError, UnknownNameError
from surgery_references import positions, scrambled, spread
from surgery_zoo import cnn, small_resnet


def pair() -> tuple[nn.Module, nn.Module]:
    return scrambled(cnn("12-20"), 1), cnn("5-9")


def images(n: int = 24, seed: int = 0) -> Tensor:
    return torch.randn(n, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def taken(plan: legatee.TransferPlan, name: str) -> list[int]:
    (move,) = [m for m in plan.moves if m.target == name]
    return positions(move.take[0])


def fed(network: nn.Module, layer: str, inputs: Tensor) -> Tensor:
    """What a layer reads [items, channels, positions]."""
    seen = []
    handle = network.get_submodule(layer).register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    with torch.no_grad():
        network.eval()(inputs)
    handle.remove()
    return seen[0].flatten(2) if seen[0].dim() > 2 else seen[0][..., None]


def best(scores: Tensor, count: int) -> list[int]:
    return sorted(scores.argsort(descending=True)[:count].tolist())


def layers(network: nn.Module) -> list[str]:
    return [n for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def test_largest_takes_the_filters_of_the_largest_norm():
    source, target = pair()
    plan = legatee.plan(source, target, rule="largest")
    for name in layers(source)[:-1]:
        weight = source.get_submodule(name).weight
        count = target.get_submodule(name).weight.shape[0]
        assert taken(plan, f"{name}.weight") == best(weight.flatten(1).norm(dim=1), count)


def test_largest_ranks_a_residual_stream_by_all_that_is_added_to_it():
    source, target = scrambled(small_resnet(9), 1), small_resnet(6)
    plan = legatee.plan(source, target, rule="largest")
    weights = [source.conv.weight, source.blocks[0].conv2.weight]
    squares = sum(w.double().flatten(1).square().sum(1) for w in weights)
    assert taken(plan, "conv.weight") == best(squares, 6)


def test_active_takes_channels_that_fire_on_most_examples():
    source, target = pair()
    plan = legatee.plan(source, target, rule="active", data=images(), threshold=0.0)
    first, second = layers(source)[:2]
    share = (fed(source, second, images()).amax(2) > 0).double().mean(0)
    chosen = taken(plan, f"{first}.weight")
    assert len(chosen) == 5
    rest = [i for i in range(12) if i not in chosen]
    assert share[chosen].min() >= share[rest].max()


def test_active_takes_no_channel_that_is_silent_too_often():
    source, target = pair()
    norm = next(m for m in source.modules() if isinstance(m, nn.BatchNorm2d))
    with torch.no_grad():
        norm.weight.fill_(1e-3)
        norm.bias.fill_(-1.0)
        norm.bias[[2, 7]] = 1.0
    first = layers(source)[0]
    plan = legatee.plan(source, target, rule="active", data=images())
    assert taken(plan, f"{first}.weight") == [2, 7]


def test_signal_takes_channels_whose_class_means_differ_most_against_their_noise():
    source, target = pair()
    labels = torch.arange(24) % 3
    inputs = images() + labels[:, None, None, None] * 0.7
    plan = legatee.plan(source, target, rule="signal", data=(inputs, labels))
    first, second = layers(source)[:2]
    means = fed(source, second, inputs).double().mean(2)
    groups = [means[labels == c] for c in range(3)]
    between = torch.stack([g.mean(0) for g in groups]).var(0, unbiased=False)
    within = torch.stack([g.var(0, unbiased=False) for g in groups]).mean(0)
    assert taken(plan, f"{first}.weight") == best(between / within, 5)


class Twice(nn.Module):
    """A layer that is used two times, behind which a channel has two signals."""

    def __init__(self, width: int):
        super().__init__()
        self.stem, self.body = nn.Linear(6, width), nn.Linear(width, width)
        self.head = nn.Linear(width, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return one score for each class [b, 3]."""
        hidden = torch.relu(self.stem(inputs))
        return self.head(torch.relu(self.body(torch.relu(self.body(hidden)))))


def test_channels_that_cannot_be_ranked_are_spaced_evenly_and_the_plan_says_so():
    source, target = scrambled(Twice(9), 1), Twice(4)
    source.head = nn.Sequential(nn.Identity(), source.body)  # nothing but what is used more often
    target.head = nn.Sequential(nn.Identity(), target.body)
    data = torch.randn(30, 6), torch.arange(30) % 3
    plan = legatee.plan(source, target, rule="signal", data=data)
    assert taken(plan, "stem.weight") == spread(9, 4)
    assert any("rule 'signal' could not score the channels of 1 source" in w for w in plan.warnings)


def test_heads_of_an_attention_are_ranked_whole():
    wide = models.VisionTransformer(32, 8, 2, 4, 64, 128, num_classes=4)
    slim = models.VisionTransformer(32, 8, 2, 2, 32, 64, num_classes=4)
    scrambled(wide, 1)
    with torch.no_grad():
        attention = wide.encoder.layers[0].self_attention
        attention.in_proj_weight.view(3, 4, 16, 64)[:, [0, 2]] *= 10
    plan = legatee.plan(wide, slim, rule="largest", example_inputs=torch.zeros(1, 3, 32, 32))
    heads = [64 * part + 16 * head + i for part in range(3) for head in (0, 2) for i in range(16)]
    name = "encoder.layers.encoder_layer_0.self_attention.in_proj_weight"
    assert sorted(taken(plan, name)) == heads


def test_looking_at_data_leaves_the_network_as_it_was():
    source, target = pair()
    source.train()
    before = {n: t.clone() for n, t in source.state_dict().items()}
    legatee.plan(source, target, rule="active", data=images())
    assert source.training
    assert all(torch.equal(t, before[n]) for n, t in source.state_dict().items())


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({"rule": "active"}, r"rule 'active' needs downstream data; pass data=inputs"),
        ({"rule": "signal"}, r"needs downstream data with labels; pass data=\(inputs, labels\)"),
        ({"rule": "signal", "data": images(4)}, r"no labels; pass data=\(inputs, labels\)"),
        ({"rule": "signal", "data": (images(4), torch.zeros(3))}, "4 inputs but 3 labels"),
        ({"rule": "signal", "data": (images(4), torch.zeros(4))}, "type float32; expected one cl"),
        ({"rule": "signal", "data": (images(4), torch.zeros(4, 2).int())}, r"of shape \(4, 2\)"),
        ({"rule": "signal", "data": (images(4), torch.ones(4).int())}, "labels of one class only"),
        ({"rule": "signal", "data": (images(2), ["cat", "dog"])}, "labels of type list"),
        ({"rule": "active", "data": images(1)}, "data has 1 example; a rule that measures"),
        ({"rule": "active", "data": images(0)}, "data has 0 examples"),
        ({"rule": "active", "data": "images"}, "data is a str; expected a tensor"),
        ({"rule": "active", "data": [images(2)]}, "data is a list; expected a tensor"),
        ({"rule": "active", "data": (images(2),) * 3}, "data has 3 parts; expected"),
        ({"rule": "active", "data": images(2)[:, :2]}, "the source does not run on data: "),
    ],
)
def test_a_rule_that_lacks_what_it_looks_at_is_refused(options, missing):
    with pytest.raises(TransferError, match=missing):
        legatee.plan(*pair(), **options)


def test_a_rule_that_looks_at_weights_needs_weights():
    with torch.device("meta"):
        source = cnn_on_meta()
    with pytest.raises(TransferError, match="needs the weights of the source"):
        legatee.plan(source, source, rule="largest")


def cnn_on_meta() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))


# --- channels that are given ----------------------------------------------------------------------


def test_given_channels_are_taken_and_all_others_evenly():
    source, target = pair()
    first, second = layers(source)[:2]
    plan = legatee.plan(source, target, rule={first: [11, 3, 4]})
    assert plan.options.rule_name == "given"
    assert taken(plan, f"{first}.weight") == [11, 3, 4]
    (move,) = [m for m in plan.moves if m.target == f"{second}.weight"]
    assert positions(move.take[1]) == [11, 3, 4]
    assert positions(move.put[1]) == [0, 1, 2]
    assert positions(move.take[0]) == spread(12, 5)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"conv": [0, 9]}, "from 0 to 8"),
        ({"conv": [1, 1]}, "different numbers"),
        ({"conv": [0, 1], "blocks.0.conv2": [0, 2]}, "share their channels"),
        ({"nowhere": [0]}, "nowhere"),
        ({"conv": list(range(7))}, "7 channels"),
    ],
    ids=["outside", "twice", "disagreeing", "unknown", "too many"],
)
def test_given_channels_that_cannot_be_taken_are_refused(given, why):
    with pytest.raises(TransferError, match=why):
        legatee.plan(small_resnet(9), small_resnet(6), rule=given)


def test_an_unknown_rule_names_the_ones_that_rank():
    with pytest.raises(UnknownNameError, match="largest"):
        legatee.plan(*pair(), rule="largets")
