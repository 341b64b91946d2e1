"""Larger networks from smaller ones: with grow="clone" they compute what the smaller ones do."""

import itertools

import pytest
import timm
import torch
import transformers
from torch import nn
from torch.nn import functional
from torchvision import models

import legatee
from legatee.errors import TransferError
from surgery_references import positions, scrambled

IMAGES = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
VECTORS = torch.randn(5, 6, generator=torch.Generator().manual_seed(1))
TOKENS = torch.randint(0, 40, (2, 9), generator=torch.Generator().manual_seed(2))


def mlp(*widths):
    steps = []
    for read, made in itertools.pairwise((6, *widths, 3)):
        steps += [nn.Linear(read, made), nn.GELU()]
    return nn.Sequential(*steps[:-1])


class Convolutions(nn.Module):
    """A plain, a grouped and a depthwise convolution with norms, flattened into a head."""

    def __init__(self, width, norm=nn.BatchNorm2d):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, width, 3, stride=2), norm(width)
        self.grouped = nn.Conv2d(width, width, 3, padding=1, groups=width // 2)
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.last = nn.Conv2d(width, width, 1)
        self.head = nn.Linear(width * 4, 3)

    def forward(self, x):
        x = self.norm(self.first(x)).relu()
        x = x + self.last(self.depthwise(self.grouped(x).relu()))
        return self.head(functional.adaptive_avg_pool2d(x, 2).flatten(1))


def groups_of_two(width):
    return nn.GroupNorm(2, width)


def resnet(width):
    network = models.ResNet(models.resnet.Bottleneck, [1, 1, 1, 1], 3, width_per_group=width)
    network.conv1 = nn.Conv2d(3, 64, 3, bias=False)
    return network


def vit(width, heads):
    return timm.create_model(
        "vit_tiny_patch16_224", img_size=32, embed_dim=width, num_heads=heads, depth=2,
        num_classes=3,
    )  # fmt: skip


def llama(width, heads, *, tied=False):
    config = transformers.LlamaConfig(
        hidden_size=width, intermediate_size=width * 3 // 2, num_attention_heads=heads,
        num_key_value_heads=heads // 2, num_hidden_layers=2, vocab_size=40,
        tie_word_embeddings=tied,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config)


GROWN = {
    "mlp": (mlp(8, 4), mlp(16, 12), VECTORS),
    "mlp whose widths are no multiples": (mlp(8, 4), mlp(13, 7), VECTORS),
    "convolutions with a batch norm": (Convolutions(4), Convolutions(12), IMAGES),
    "convolutions with a batch norm, no multiple": (Convolutions(4), Convolutions(6), IMAGES),
    "convolutions with a group norm": (
        Convolutions(4, groups_of_two),
        Convolutions(8, groups_of_two),
        IMAGES,
    ),
    "resnet": (resnet(32), resnet(64), IMAGES),
    "vit": (vit(64, 2), vit(192, 6), IMAGES),
    "llama": (llama(32, 4), llama(64, 8), TOKENS),
    "llama whose embeddings are tied": (
        llama(32, 4, tied=True),
        llama(64, 8, tied=True),
        TOKENS,
    ),
}


def numbers(network, inputs):
    with torch.no_grad():
        output = network.eval()(inputs)
    return getattr(output, "logits", output)


def grown(source, target, inputs, **options):
    """Grow a target that differs in every element, and return the plan and the relative error."""
    scrambled(source, 1), scrambled(target, 2)
    tied = bool(getattr(getattr(source, "config", None), "tie_word_embeddings", False))
    classes = numbers(source, inputs).shape[-1]
    class_map = None if tied else {number: number for number in range(classes)}
    plan = legatee.plan(source, target, grow="clone", class_map=class_map, **options)
    legatee.inherit(plan, source, target)
    before, after = numbers(source, inputs), numbers(target, inputs)
    return plan, float((before - after).abs().max() / before.abs().max())


@pytest.mark.parametrize("uneven", [0, 0.4])
@pytest.mark.parametrize("name", GROWN)
def test_a_larger_network_computes_what_the_smaller_one_does(name, uneven):
    plan, error = grown(*GROWN[name], uneven_copies=uneven)
    assert error < 1e-5
    assert not plan.untouched
    assert plan.warnings == ()


def test_without_growing_the_further_channels_keep_their_values():
    source, target, _ = GROWN["mlp"]
    plan = legatee.plan(source, target)
    assert plan.inherited_fraction < 0.5
    assert "copies" not in plan.headline


def test_copies_of_a_channel_are_neighbours():
    plan, _ = grown(mlp(2), mlp(5), VECTORS)
    (first,) = [move for move in plan.moves if move.target == "0.weight"]
    copied = dict(zip(positions(first.put[0]), positions(first.take[0]), strict=True))
    assert [copied[place] for place in range(5)] == [0, 0, 0, 1, 1]


def test_the_plan_counts_the_copies():
    """Of 2 channels that become 4, half of the first layer's rows, and of the reader's columns."""
    plan, _ = grown(mlp(2), mlp(4), VECTORS)
    copies = {move.target: move.copies for move in plan.moves}
    assert copies == {"0.weight": 2 * 6, "0.bias": 2, "2.weight": 3 * 2, "2.bias": 0}
    share = 100 * (12 + 2 + 6) / (4 * 6 + 4 + 3 * 4 + 3)
    assert f"{share:.1f}% as copies of channels" in plan.headline


def test_uneven_copies_learn_different_things_and_even_ones_do_not():
    for uneven, alike in ((0.0, True), (0.5, False)):
        source, target, inputs = mlp(4), mlp(8), VECTORS
        grown(source, target, inputs, uneven_copies=uneven)
        target(inputs).square().sum().backward()
        rows = target[0].weight.grad
        assert torch.allclose(rows[0], rows[1], rtol=1e-4) is alike


def test_the_shares_of_uneven_copies_sum_to_one():
    source, target = mlp(3), mlp(9)
    grown(source, target, VECTORS, uneven_copies=0.5)
    thirds = target[2].weight.reshape(3, 3, 3) / source[2].weight[:, :, None]
    expected = torch.tensor([0.5 / 3, 1 / 3, 1.5 / 3]).expand(3, 3, 3)
    torch.testing.assert_close(thirds, expected)


def test_a_plan_that_grows_can_be_saved_and_applied(tmp_path):
    source, target, inputs = mlp(4), mlp(9), VECTORS
    plan, _ = grown(source, target, inputs, uneven_copies=0.2)
    plan.save(tmp_path / "plan.json")
    again = legatee.TransferPlan.load(tmp_path / "plan.json")
    assert again == plan
    other = scrambled(mlp(9), 3)
    legatee.inherit(again, source, other)
    assert torch.equal(numbers(other, inputs), numbers(target, inputs))


def test_a_layer_norm_over_no_multiple_is_warned_of():
    source = nn.Sequential(nn.Linear(6, 4), nn.LayerNorm(4), nn.Linear(4, 3))
    exact = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 3))
    target = nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 3))
    plan, error = grown(source, exact, VECTORS)
    assert error < 1e-5
    assert plan.warnings == ()
    plan, error = grown(source, target, VECTORS)
    assert error > 1e-3
    (warning,) = plan.warnings
    assert warning.startswith("'1.weight' scales 6 channels, no multiple of the source's 4; ")


def test_what_is_not_inherited_is_named():
    source, target, _ = GROWN["mlp"]
    plan = legatee.plan(source, target, grow="clone")  # without a class map the head is fresh
    assert any(
        warning == "the target does not compute what the source computes: '4.weight' and 1 more "
        "keep their initial values"
        for warning in plan.warnings
    )


def test_an_embedding_that_feeds_the_output_layer_without_a_norm_is_warned_of():
    class Tied(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.table = nn.Embedding(40, width)
            self.mix = nn.Linear(width, width)

        def forward(self, tokens):
            return functional.linear(self.mix(self.table(tokens)), self.table.weight)

    source, target = scrambled(Tied(4), 1), scrambled(Tied(8), 2)
    plan = legatee.plan(source, target, grow="clone", example_inputs=TOKENS)
    legatee.inherit(plan, source, target)
    torch.testing.assert_close(numbers(target, TOKENS), 2 * numbers(source, TOKENS))
    assert any("the outputs are multiplied: 'table.weight'" in text for text in plan.warnings)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"grow": "copy"}, "grow='copy'"),
        ({"grow": "clone", "uneven_copies": 1.0}, "less than"),
        ({"grow": "clone", "alpha": 0.5}, "leave alpha at 1"),
        ({"uneven_copies": 0.2}, "nothing is copied without grow='clone'"),
    ],
)
def test_what_is_no_way_to_grow_is_refused(options, words):
    with pytest.raises(TransferError, match=words):
        legatee.plan(mlp(2), mlp(4), **options)
