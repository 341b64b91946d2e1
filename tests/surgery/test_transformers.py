"""Attention is inherited in whole heads: decoded from sources whose elements say where they are."""

import timm
import torch
from torch import Tensor, nn
from torchvision import models

import legatee
from legatee.surgery.network.catalog import read
from surgery_references import blank, coded, decoded, heads_of, scrambled, spread

HEAD = 64  # width of a head in every ViT of timm


def test_a_tiny_vit_takes_whole_heads_of_a_small_one_and_loads_strictly():
    small = coded(blank(lambda: timm.create_model("vit_small_patch16_224")))
    tiny = coded(blank(lambda: timm.create_model("vit_tiny_patch16_224")))
    plan = legatee.plan(small, tiny)
    legatee.inherit(plan, small, tiny)
    stream = spread(384, 192)
    heads = spread(6, 3)
    for block in tiny.blocks:
        rows, columns = decoded(block.attn.qkv.weight)
        assert columns == stream
        parts = [rows[192 * i : 192 * (i + 1)] for i in range(3)]  # Q, K and V
        found = [heads_of([row - 384 * i for row in part], HEAD) for i, part in enumerate(parts)]
        assert found == [heads] * 3
        assert block.attn.qkv.bias.tolist() == rows
        out, read_on = decoded(block.attn.proj.weight)
        assert (out, heads_of(read_on, HEAD)) == (stream, heads)
        assert decoded(block.mlp.fc1.weight) == (spread(1536, 768), stream)
        assert decoded(block.mlp.fc2.weight) == (stream, spread(1536, 768))
        assert block.norm1.weight.tolist() == block.norm2.bias.tolist() == stream
    assert tiny.cls_token.flatten().tolist() == stream
    fresh = timm.create_model("vit_tiny_patch16_224")
    fresh.load_state_dict(tiny.state_dict(), strict=True)
    assert plan.inherited_fraction > 0.96  # all but the head


def test_a_swin_transformer_takes_whole_heads_and_their_position_tables():
    wide, slim = (
        blank(lambda width=w, heads=h: _swin(width, heads)) for w, h in ((48, (3, 6)), (32, (2, 4)))
    )
    coded(wide)
    legatee.inherit(legatee.plan(wide, slim), wide, slim)
    for stage, (available, wanted) in ((1, (3, 2)), (3, (6, 4))):
        for block in slim.features[stage]:
            kept = spread(available, wanted)
            columns = (block.attn.relative_position_bias_table % 4096).long()
            assert columns[0].tolist() == kept
            _, read_on = decoded(block.attn.proj.weight)
            assert read_on == [16 * head + i for head in kept for i in range(16)]


def _swin(width: int, heads: tuple[int, int]) -> nn.Module:
    return models.SwinTransformer(
        [4, 4], width, [2, 2], list(heads), [7, 7], num_classes=4, stochastic_depth_prob=0.0
    )


class Encoder(nn.Module):
    """An encoder of words, as BERT is: embeddings of words and places, attention, a pooled head."""

    def __init__(self, width: int, heads: int, depth: int = 2):
        super().__init__()
        self.words = nn.Embedding(50, width)
        self.places = nn.Embedding(16, width)
        self.norm = nn.LayerNorm(width)
        layer = nn.TransformerEncoderLayer(
            width, heads, 3 * width, batch_first=True, activation="gelu"
        )
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.pool = nn.Linear(width, width)
        self.head = nn.Linear(width, 3)

    def forward(self, words: Tensor) -> Tensor:
        places = torch.arange(words.shape[1], device=words.device)
        x = self.layers(self.norm(self.words(words) + self.places(places)))
        return self.head(torch.tanh(self.pool(x[:, 0])))


def test_an_encoder_of_words_is_followed_from_its_embeddings_on():
    catalog = read(Encoder(24, 3))
    (stream,) = [g for g in catalog.groups if ("words.weight", 1) in g.members]
    assert {("places.weight", 1), ("norm.weight", 0), ("pool.weight", 1)} <= set(stream.members)
    (heads,) = [
        g for g in catalog.groups if ("layers.layers.0.self_attn.in_proj_weight", 0) in g.members
    ]
    assert heads.size == 3
    assert heads.members["layers.layers.0.self_attn.out_proj.weight", 1].shape == (3, 8)


def test_a_narrow_encoder_of_words_takes_whole_heads():
    wide, slim = coded(Encoder(24, 3)), Encoder(16, 2)
    plan = legatee.plan(wide, slim, head=False)
    legatee.inherit(plan, wide, slim)
    kept = spread(24, 16)
    assert decoded(slim.words.weight) == (list(range(50)), kept)
    for layer in slim.layers.layers:
        rows, columns = decoded(layer.self_attn.in_proj_weight)
        whole = [8 * head + i for head in spread(3, 2) for i in range(8)]
        assert columns == kept
        assert rows == [24 * part + row for part in range(3) for row in whole]
        assert decoded(layer.self_attn.out_proj.weight) == (kept, whole)
    assert {u.target for u in plan.untouched} == {"head.weight", "head.bias"}


def test_all_of_an_encoder_of_words_is_the_identity():
    one, other = scrambled(Encoder(16, 2), 1), scrambled(Encoder(16, 2), 2)
    legatee.inherit(legatee.plan(one, other), one, other)
    words = torch.arange(8)[None]
    with torch.no_grad():
        assert torch.equal(one.eval()(words), other.eval()(words))
