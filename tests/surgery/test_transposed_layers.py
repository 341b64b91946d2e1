"""Layers whose weights have their output channels on the second axis, as transposed ones do."""

import pytest
import torch
from torch import nn

import legatee
from surgery_references import poisoned, positions, scrambled


class Decoder(nn.Module):
    """Two transposed convolutions between other layers."""

    def __init__(self, width: int):
        super().__init__()
        self.first = nn.Linear(5, 4 * width)
        self.up1 = nn.ConvTranspose2d(width, width, 2, 2, bias=False)
        self.up2 = nn.ConvTranspose2d(width, width, 2, 2, bias=False)
        self.out = nn.Conv2d(width, 3, 1)

    def forward(self, x):
        x = self.first(x).unflatten(1, (-1, 2, 2)).relu()
        return self.out(self.up2(self.up1(x).relu()).relu())


class Matrices(nn.Module):
    """Free matrices whose inputs are on the first axis."""

    def __init__(self, width: int):
        super().__init__()
        self.up1 = nn.ParameterDict({"weight": torch.ones(5, width)})
        self.up2 = nn.ParameterDict({"weight": torch.ones(width, width)})
        self.out = nn.Linear(width, 4)

    def forward(self, x):
        return self.out(((x @ self.up1["weight"]).relu() @ self.up2["weight"]).relu())


def generator(last: int, kernel: int = 4) -> nn.Module:
    pad = (kernel - 2) // 2
    return nn.Sequential(
        nn.ConvTranspose2d(6, 16, 4, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 8, kernel, 2, pad, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, last, 4, 2, 1, bias=False),
    )


@pytest.mark.parametrize("make", [Decoder, Matrices])
def test_the_largest_channels_are_those_with_the_largest_weights_that_make_them(make):
    source, target = make(8), make(4)
    with torch.no_grad():
        made, read = source.up1["weight"] if make is Matrices else source.up1.weight, None
        read = source.up2["weight"] if make is Matrices else source.up2.weight
        made.fill_(1)
        read.fill_(1)
        made[:, [1, 3, 4, 6]] *= 10
        read[[0, 2, 5, 7]] *= 1000  # these layers read the channels and do not count
    plan = legatee.plan(source, target, rule="largest", example_inputs=torch.zeros(1, 5))
    (move,) = [move for move in plan.moves if move.target == "up1.weight"]
    assert positions(move.take[1]) == [1, 3, 4, 6]


def test_a_generator_for_other_colours_inherits_all_but_its_last_layer():
    noise = torch.randn(2, 6, 1, 1)
    source, target = scrambled(generator(3), 1).eval(), scrambled(generator(1), 2).eval()
    plan = legatee.plan(source, target, example_inputs=noise)
    legatee.inherit(plan, source, target)
    assert torch.equal(source[:6](noise), target[:6](noise))
    assert [entry.target for entry in plan.untouched] == ["6.weight"]


def test_a_norm_is_not_inherited_without_the_transposed_layer_before_it():
    source, target = scrambled(generator(3), 1), poisoned(generator(3, kernel=2))
    plan = legatee.plan(source, target, example_inputs=torch.zeros(1, 6, 1, 1))
    legatee.inherit(plan, source, target)
    assert all(target[4].state_dict()[n].isnan().all() for n in ("weight", "running_var"))
    assert torch.equal(target[1].running_mean, source[1].running_mean)


# --- classes --------------------------------------------------------------------------------------


class Scores(nn.Module):
    """Scores of classes at two resolutions, added by transposed layers as in FCN-8s."""

    def __init__(self, classes: int, *, relu: bool = False):
        super().__init__()
        self.pool4 = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.fc7 = nn.Conv2d(8, 8, 3, stride=2, padding=1)
        self.score_fr = nn.Conv2d(8, classes, 1)
        self.score_pool4 = nn.Conv2d(8, classes, 1)
        self.upscore2 = nn.ConvTranspose2d(classes, classes, 2, stride=2, bias=False)
        self.upscore8 = nn.ConvTranspose2d(classes, classes, 4, stride=4, bias=False)
        self.between = nn.ReLU() if relu else nn.Identity()

    def forward(self, x):
        middle = self.pool4(x).relu()
        scores = self.upscore2(self.between(self.score_fr(self.fc7(middle).relu())))
        return self.upscore8(self.between(scores + self.score_pool4(middle)))


IMAGE = torch.zeros(1, 3, 32, 32)
MAKE_SCORES = {"score_fr", "score_pool4", "upscore2", "upscore8"}


def layers_of(plan: legatee.TransferPlan) -> set[str]:
    return {move.target.partition(".")[0] for move in plan.moves}


def test_earlier_scores_of_other_classes_are_not_inherited():
    plan = legatee.plan(Scores(21), Scores(5), example_inputs=IMAGE)
    assert layers_of(plan) == {"pool4", "fc7"}


def test_classes_of_one_meaning_are_taken_in_all_layers_that_score_them():
    source, target = scrambled(Scores(21), 1), poisoned(Scores(5))
    legatee.transfer(source, target, class_map={0: 20, 1: 3}, example_inputs=IMAGE)
    for name in sorted(MAKE_SCORES):
        taken = getattr(source, name).weight
        taken = taken[:, [20, 3]] if name.startswith("up") else taken[[20, 3]]
        taken = taken[[20, 3]] if name.startswith("up") else taken
        filled = getattr(target, name).weight
        filled = filled[:2, :2] if name.startswith("up") else filled[:2]
        assert torch.equal(filled, taken), name
    assert target.upscore8.weight[2:].isnan().all()
    assert target.score_fr.bias[2:].isnan().all()


def test_hidden_channels_behind_a_nonlinearity_are_no_scores_of_classes():
    plan = legatee.plan(Scores(21, relu=True), Scores(5, relu=True), example_inputs=IMAGE)
    assert layers_of(plan) >= {"pool4", "fc7", "score_fr", "score_pool4", "upscore2"}


def test_classes_shown_by_a_transposed_layer_are_not_cropped():
    def network(classes: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.ConvTranspose2d(8, classes, 4, stride=2)
        )

    plan = legatee.plan(network(21), network(5), example_inputs=IMAGE)
    assert layers_of(plan) == {"0"}
