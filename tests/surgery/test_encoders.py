"""Networks of the transformers package: followed, cut by whole heads, and equal where they must."""

from collections import Counter

import pytest
import torch
import transformers
from torch import Tensor, nn
from torchvision import models

import legatee
from legatee.surgery.network.catalog import Catalog, read
from surgery_references import (
    blank,
    coded,
    decoded,
    evenly,
    heads_of,
    outputs,
    poisoned,
    same_bits,
    scrambled,
    silence,
    snapshot,
    spread,
)

HEAD = 8  # width of a head
WORDS = {"vocab_size": 50, "max_position_embeddings": 20}
IMAGES = {"image_size": 24, "patch_size": 8, "num_labels": 4}  # 24 is no size that is guessed


def sizes(heads: int, layers: int, hidden: int | None = None) -> dict[str, int]:
    return {
        "hidden_size": HEAD * heads,
        "num_attention_heads": heads,
        "num_hidden_layers": layers,
        "intermediate_size": hidden or 3 * HEAD * heads,
    }


def bert(heads: int, layers: int, kind=transformers.BertForSequenceClassification, **more):
    return kind(transformers.BertConfig(**sizes(heads, layers), **WORDS | more))


def vit(heads: int, layers: int = 2, hidden: int | None = None, **more) -> nn.Module:
    config = transformers.ViTConfig(**sizes(heads, layers, hidden), **IMAGES | more)
    return transformers.ViTForImageClassification(config)


def resnet(widths: tuple[int, ...], depths: tuple[int, ...], kind: str = "basic") -> nn.Module:
    config = transformers.ResNetConfig(
        embedding_size=widths[0],
        hidden_sizes=list(widths),
        depths=list(depths),
        layer_type=kind,
        num_labels=4,
    )
    return transformers.ResNetForImageClassification(config)


class Logits(nn.Module):
    """The classifier inside, for whoever expects one tensor."""

    def __init__(self, inner: nn.Module):
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).logits


# --- what is followed -----------------------------------------------------------------------------


def full(name: str) -> nn.Module:
    """Build a network of the size that its paper has, without weights."""
    kind = getattr(transformers, name)
    with torch.device("meta"):
        return kind(kind.config_class())


FULL = {  # heads of each layer, as the papers have them
    "ViTForImageClassification": Counter({12: 12}),
    "BertForMaskedLM": Counter({12: 12}),
    "DistilBertForSequenceClassification": Counter({12: 6}),
    "SegformerForImageClassification": Counter({32: 2, 2: 2, 5: 2, 8: 2}),  # channels of one head
    "ResNetForImageClassification": Counter(),
    "ConvNextForImageClassification": Counter(),
}
QUERIES = ("query", "q_proj", "q_lin")


def attention_heads(catalog: Catalog) -> Counter[int]:
    """Sizes of the groups that run through the queries of a layer."""
    return Counter(
        group.size
        for group in catalog.groups
        if any(name.split(".")[-2] in QUERIES and axis == 0 for name, axis in group.members)
    )


@pytest.mark.parametrize("name", FULL)
def test_a_network_of_full_size_is_followed(name):
    catalog = read(full(name))
    assert attention_heads(catalog) == FULL[name]
    assert legatee.plan(catalog, catalog).inherited_fraction == 1.0


@pytest.mark.parametrize("how", ["sdpa", "eager"])
@pytest.mark.parametrize("make", [bert, vit])
def test_every_kind_of_attention_joins_queries_keys_values_and_outputs(make, how):
    catalog = read(make(3, 2, attn_implementation=how))
    found = [g for g in catalog.groups if len(g.members) == 7 and g.size == 3]
    assert len(found) == 2  # one for each layer: four weights, and three biases of rows
    assert {positions.shape for g in found for positions in g.members.values()} == {(3, HEAD)}


@pytest.mark.parametrize(
    ("network", "shown"),
    [
        (bert(2, 1, num_labels=4), {"classifier"}),
        (
            transformers.RobertaForSequenceClassification(
                transformers.RobertaConfig(**sizes(2, 1), **WORDS, num_labels=4)
            ),
            {"classifier.out_proj"},
        ),
        (
            transformers.DeiTForImageClassificationWithTeacher(
                transformers.DeiTConfig(**sizes(2, 1), **IMAGES)
            ),
            {"cls_classifier", "distillation_classifier"},
        ),
        (resnet((8,), (1,)), {"classifier.1"}),
    ],
)
def test_the_layer_that_shows_the_classes_is_found(network, shown):
    (group,) = [g for g in read(network).groups if g.role == "class"]
    assert group.size == 4
    assert {member.rpartition(".")[0] for member, _ in group.members} == shown


# --- whole heads, decoded -------------------------------------------------------------------------


def holds_whole_heads(layer: nn.Module, names: dict[str, str], wide: int, slim: int) -> None:
    """Hold the matrices of one attention to the evenly spread heads and channels."""
    stream, heads = spread(HEAD * wide, HEAD * slim), spread(wide, slim)
    for name in ("query", "key", "value"):
        part = layer.get_submodule(names[name])
        rows, columns = decoded(part.weight)
        assert (heads_of(rows, HEAD), columns) == (heads, stream)
        assert part.bias.tolist() == rows
    part = layer.get_submodule(names["output"])
    rows, columns = decoded(part.weight)
    assert (rows, heads_of(columns, HEAD)) == (stream, heads)
    assert part.bias.tolist() == stream


def test_a_vit_of_two_heads_takes_two_whole_heads_of_four():
    wide, slim = coded(vit(4)), poisoned(vit(2))
    plan = legatee.plan(wide, slim)
    legatee.inherit(plan, wide, slim)
    names = {part: f"attention.{part[0]}_proj" for part in ("query", "key", "value", "output")}
    stream, hidden = spread(32, 16), spread(96, 48)
    assert len(slim.vit.layers) == 2
    for layer in slim.vit.layers:
        holds_whole_heads(layer, names, 4, 2)
        assert decoded(layer.mlp.fc1.weight) == (hidden, stream)
        assert decoded(layer.mlp.fc2.weight) == (stream, hidden)
        for norm in (layer.layernorm_before, layer.layernorm_after):
            assert norm.weight.tolist() == norm.bias.tolist() == stream
    assert slim.vit.embeddings.cls_token.flatten().tolist() == stream
    assert slim.vit.layernorm.weight.tolist() == stream
    assert {u.target for u in plan.untouched} == {"classifier.weight", "classifier.bias"}


def test_a_small_bert_takes_two_whole_heads_of_four_and_the_first_layers():
    wide, slim = coded(bert(4, 4)), poisoned(bert(2, 2))
    for number, layer in enumerate(wide.bert.encoder.layer):
        with torch.no_grad():
            layer.output.LayerNorm.bias.fill_(number)
    plan = legatee.plan(wide, slim)
    legatee.inherit(plan, wide, slim)
    names = {part: f"attention.self.{part}" for part in ("query", "key", "value")}
    names["output"] = "attention.output.dense"
    stream = spread(32, 16)
    for number, layer in enumerate(slim.bert.encoder.layer):
        assert set(layer.output.LayerNorm.bias.tolist()) == {number}
        holds_whole_heads(layer, names, 4, 2)
        assert decoded(layer.intermediate.dense.weight) == (spread(96, 48), stream)
        assert layer.attention.output.LayerNorm.weight.tolist() == stream
    tables = slim.bert.embeddings
    for rows, table in (
        (50, tables.word_embeddings),
        (20, tables.position_embeddings),
        (2, tables.token_type_embeddings),
    ):
        assert decoded(table.weight) == (list(range(rows)), stream)
    _, read_on = decoded(slim.bert.pooler.dense.weight)
    assert read_on == stream
    assert {u.target for u in plan.untouched} == {"classifier.weight", "classifier.bias"}


def test_tables_of_other_words_or_places_are_left_and_named():
    plan = legatee.plan(bert(4, 2), bert(2, 2, vocab_size=40, max_position_embeddings=10))
    reasons = {u.target: u.reason for u in plan.untouched}
    tables = "bert.embeddings."
    assert reasons[f"{tables}word_embeddings.weight"] == (
        "the target has 40 input channels or tokens, the source 50"
    )
    assert reasons[f"{tables}position_embeddings.weight"] == (
        "the target has 10 input channels or tokens, the source 20"
    )
    assert f"{tables}token_type_embeddings.weight" not in reasons


def test_positions_of_another_image_size_are_resized():
    plan = legatee.plan(vit(4), vit(2, image_size=40))
    (said,) = plan.warnings
    assert "3x3 positions are resized to 5x5" in said


# --- equal where it must be -----------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: bert(2, 2), lambda: vit(2), lambda: resnet((8,), (2,))])
def test_all_of_a_network_is_the_identity(make):
    one, other = scrambled(make(), 1), scrambled(make(), 2)
    legatee.inherit(legatee.plan(one, other), one, other)
    assert same_bits(snapshot(one), snapshot(other))


def test_inherited_layers_compute_what_the_last_layers_of_the_source_compute():
    deep, short = scrambled(bert(2, 4), 1).eval(), poisoned(bert(2, 2)).eval()
    legatee.inherit(legatee.plan(deep, short, match="last:2"), deep, short)
    stream = torch.randn(3, 7, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for ours, theirs in zip(short.bert.encoder.layer, deep.bert.encoder.layer[2:], strict=True):
            before, stream = stream, theirs(stream)
            assert torch.equal(ours(before), stream)
            assert not torch.equal(deep.bert.encoder.layer[0](before), stream)


def test_a_vit_of_fewer_hidden_channels_computes_what_the_kept_ones_computed():
    wide, slim = scrambled(vit(2, hidden=60), 1), poisoned(vit(2, hidden=40))
    silence(wide, {f"vit.layers.{i}.mlp.fc1": spread(60, 40) for i in range(2)})
    plan = legatee.plan(wide, slim, class_map={i: i for i in range(4)})
    legatee.inherit(plan, wide, slim)
    expected, found = (outputs(Logits(n.double()), (3, 24, 24)) for n in (wide, slim))
    assert expected.std(0).min() > 1e-3
    assert torch.allclose(found, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
def test_a_narrow_resnet_computes_what_the_kept_channels_computed(kind):
    wide = scrambled(resnet((12, 24), (1, 2), kind), 1)
    slim = poisoned(resnet((8, 16), (1, 2), kind))
    silence(wide, evenly(wide, slim, "classifier.1"))
    plan = legatee.plan(wide, slim, class_map={i: i for i in range(4)})
    legatee.inherit(plan, wide, slim)
    expected, found = (outputs(Logits(n.double()), (3, 32, 32)) for n in (wide, slim))
    assert expected.std(0).min() > 1e-3
    assert torch.allclose(found, expected, rtol=0, atol=1e-10)


def test_a_resnet_of_torchvision_becomes_one_of_transformers_by_role():
    source = scrambled(models.resnet18(num_classes=4), 1)
    target = poisoned(blank(lambda: resnet((64, 128, 256, 512), (2, 2, 2, 2))))
    plan = legatee.plan(source, target, match="roles", class_map={i: i for i in range(4)})
    legatee.inherit(plan, source, target)
    assert plan.inherited_fraction == 1.0
    expected, found = outputs(source, (3, 32, 32)), outputs(Logits(target), (3, 32, 32))
    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-6)


# --- tied, and inside one another -----------------------------------------------------------------


def test_words_that_are_tied_to_the_output_stay_tied_and_are_inherited():
    """They are what the network is given, not classes that stay at home."""
    wide = scrambled(bert(4, 4, transformers.BertForMaskedLM), 1)
    slim = poisoned(bert(2, 2, transformers.BertForMaskedLM))
    receipt = legatee.inherit(legatee.plan(wide, slim), wide, slim)
    words = slim.bert.embeddings.word_embeddings.weight
    assert slim.cls.predictions.decoder.weight is words
    assert torch.equal(words, wide.bert.embeddings.word_embeddings.weight[:, spread(32, 16)])
    assert torch.equal(slim.cls.predictions.decoder.bias, wide.cls.predictions.bias)
    assert receipt.inherited_fraction == 1.0
    receipt.undo()
    assert words.isnan().all()


def test_an_encoder_without_a_head_is_found_inside_a_classifier():
    deep, short = scrambled(bert(2, 4, transformers.BertModel), 1), poisoned(bert(2, 2))
    plan = legatee.plan(deep, short)
    legatee.inherit(plan, deep, short)
    assert {u.target for u in plan.untouched} == {"classifier.weight", "classifier.bias"}
    for name, value in short.bert.encoder.layer.state_dict().items():
        assert torch.equal(value, deep.encoder.layer.state_dict()[name])
    back = legatee.plan(short, deep)
    assert {move.source.partition(".")[0] for move in back.moves} == {"bert"}
