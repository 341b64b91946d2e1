"""Channels that meet constants, positions or their neighbours keep their place, or stay together.

The oracle of all tests here: the source with zeros wherever the plan takes nothing, and the target
with zeros wherever it inherits nothing, compute the same.
"""

import copy

import pytest
import timm
import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional as F

import legatee
from surgery_references import positions, scrambled

IMAGES = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
TOKENS = torch.randint(0, 40, (2, 9), generator=torch.Generator().manual_seed(1))


class Trunk(nn.Module):
    """A stem, something between, and a head that reads all channels."""

    def __init__(self, width: int, between: nn.Module):
        super().__init__()
        self.stem, self.between = nn.Conv2d(3, width, 3, padding=1), between
        self.mix, self.head = nn.Conv2d(width, width, 1), nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.mix(self.between(self.stem(x))).relu().mean((2, 3)))


class NeighbourGate(nn.Module):
    """Each channel is gated by what a convolution over the channels sees of its neighbours."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x.mean((2, 3))[:, None])[:, 0, :, None, None].sigmoid()


class Folded(nn.Module):
    """Heads are folded into the batch, so that all of them go through one small convolution."""

    def __init__(self, width: int, layer: nn.Module, heads: int = 2):
        super().__init__()
        self.layer, self.heads = layer, heads

    def forward(self, x: Tensor) -> Tensor:
        batch, width, high, wide = x.shape
        folded = x.reshape(batch * self.heads, width // self.heads, high, wide)
        return self.layer(folded).reshape(batch, width, high, wide)


class Constant(nn.Module):
    """A number for each channel that is no weight."""

    def __init__(self, width: int, how: str):
        super().__init__()
        self.register_buffer("code", torch.linspace(1, 2, width)[:, None, None], persistent=False)
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        return x * self.code if self.how == "times" else x + self.code


class Mixer(nn.Module):
    """A layer over the positions of an image, as in an MLP-Mixer."""

    def __init__(self):
        super().__init__()
        self.over, self.back = nn.Linear(256, 32), nn.Linear(32, 256)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.back(self.over(x.flatten(2)).relu()).reshape(x.shape)


class Levels(nn.Module):
    """Maps of one channel each that are used one by one, as in a FocalNet."""

    def __init__(self, width: int):
        super().__init__()
        self.gates = nn.Conv2d(width, width + 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x, gates = self.gates(x).split((x.shape[1], 3), 1)
        shifted = F.max_pool2d(x, 3, 1, 1)
        return x * gates[:, :1] + shifted * gates[:, 1:2] + x.mean((2, 3), True) * gates[:, 2:]


class Beside(nn.Module):
    """Coordinates of the positions, concatenated to the channels."""

    def __init__(self, width: int):
        super().__init__()
        self.both = nn.Conv2d(width + 2, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        rows = torch.linspace(-1, 1, x.shape[2], device=x.device)
        maps = torch.stack(torch.meshgrid(rows, rows, indexing="ij"))
        return self.both(torch.cat([x, maps.expand(len(x), -1, -1, -1)], 1))


def shuffled_to_one(x: Tensor) -> Tensor:
    return F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2)


def part_by_part(x: Tensor) -> Tensor:
    factor = x.new_ones(1, x.shape[1], 1, 1)
    factor[:, :3] = 2
    return factor


def two_pieces(x: Tensor) -> Tensor:
    return torch.cat([x.new_ones(3, 1, 1), x.new_full((x.shape[1] - 3, 1, 1), 2)])


class Do(nn.Module):
    def __init__(self, call):
        super().__init__()
        self.call = call

    def forward(self, x: Tensor) -> Tensor:
        return self.call(x)


class Rows(nn.Module):
    """A recurrent layer along the rows of an image."""

    def __init__(self, kind: type, width: int):
        super().__init__()
        self.layer = kind(width, width, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.mean(3).mT)[0].mT[..., None]


def filled(x: Tensor) -> Tensor:
    moved = torch.zeros_like(x)
    moved[:, :, 1:] = x[:, :, :-1]
    return moved


EXACT = {
    "a gate of neighbours": lambda w: NeighbourGate(),
    "a convolution of each head": lambda w: Folded(
        w, nn.Conv2d(w // 2, w // 2, 3, padding=1, groups=w // 2)
    ),
    "a dense layer of each head": lambda w: Folded(w, nn.Conv2d(w // 2, w // 2, 1)),
    "a norm of each head": lambda w: Folded(w, nn.BatchNorm2d(w // 2)),
    "a constant factor": lambda w: Constant(w, "times"),
    "a constant added": lambda w: Constant(w, "plus"),
    "a constant filled part by part": lambda w: Do(lambda x: x * part_by_part(x)),
    "a constant of two pieces": lambda w: Do(lambda x: x * two_pieces(x)),
    "a constant that rises": lambda w: Do(lambda x: x * x.new_ones(x.shape[1], 1, 1).cumsum(0)),
    "a constant that is the same for all": lambda w: Do(lambda x: x * x.new_full(x.shape, 2)),
    "a layer over positions": lambda w: Mixer(),
    "gates used one by one": Levels,
    "coordinates beside channels": Beside,
    "pixels shuffled": lambda w: Do(shuffled_to_one),
    "rows that are copied": lambda w: Do(filled),
    "a flip": lambda w: Do(lambda x: x.flip(-1)),
    "a sum along rows": lambda w: Do(lambda x: x.cumsum(-1)),
    "a selection of rows": lambda w: Do(
        lambda x: x.index_select(2, torch.arange(0, 8, 2, device=x.device))
    ),
    "rows of an index": lambda w: Do(lambda x: x[:, :, [0, 3], [1, 2]][..., None]),
    "the largest position": lambda w: Do(lambda x: x.flatten(2).max(2)[0][..., None, None]),
    "the spread of positions": lambda w: Do(lambda x: x.std((2, 3), keepdim=True)),
    "a reflected border": lambda w: nn.ReflectionPad2d(1),
    "a border that goes round": lambda w: nn.Conv2d(w, w, 3, padding=1, padding_mode="circular"),
    "a grid of places": lambda w: Do(
        lambda x: F.grid_sample(
            x, torch.zeros(len(x), 3, 3, 2, device=x.device), align_corners=False
        )
    ),
    "patches": lambda w: Do(lambda x: F.fold(F.unfold(x, 2, stride=2), 16, 2, stride=2)),
    "a transposed depthwise convolution": lambda w: nn.ConvTranspose2d(w, w, 2, 2, groups=w),
    "an LSTM": lambda w: Rows(nn.LSTM, w),
    "a GRU": lambda w: Rows(nn.GRU, w),
}
CLASSES = {number: number for number in range(4)}


def silenced(source: nn.Module, plan: legatee.TransferPlan) -> nn.Module:
    """The source with zero wherever the plan takes nothing."""
    kept = {name: torch.zeros(v.shape, dtype=torch.bool) for name, v in source.state_dict().items()}
    for move in plan.moves:
        axes = [torch.tensor(positions(text)) for text in move.take]
        kept[move.source][torch.meshgrid(*axes, indexing="ij") if axes else ()] = True
    quiet = copy.deepcopy(source)
    with torch.no_grad():
        for name, value in quiet.state_dict().items():
            if value.is_floating_point():
                value[~kept[name]] = 0
    return quiet


def zeros(network: nn.Module) -> nn.Module:
    with torch.no_grad():
        for value in network.state_dict().values():
            value.zero_()
    return network.eval()


def apart(source: nn.Module, target: nn.Module, inputs: Tensor, plan) -> float:
    """How far the target is from the silenced source, relative to the largest output."""
    legatee.inherit(plan, source, target)
    with torch.no_grad():
        outputs = [network.eval()(inputs) for network in (silenced(source, plan), target)]
    expected, given = (getattr(output, "logits", output) for output in outputs)
    return float((expected - given).abs().max() / expected.abs().max())


@pytest.mark.parametrize("rule", ["random", "largest"])
@pytest.mark.parametrize("name", EXACT)
def test_half_of_the_channels_compute_what_they_computed(name, rule):
    source = scrambled(Trunk(16, EXACT[name](16)), 1)
    target = zeros(Trunk(16, EXACT[name](16)))
    options = {"alpha": 0.5, "rule": rule, "seed": 3, "class_map": CLASSES}
    plan = legatee.plan(source, target, example_inputs=IMAGES[:1], **options)
    assert plan.inherited_fraction > 0.2
    assert apart(source, target, IMAGES, plan) < 1e-5


@pytest.mark.parametrize("name", EXACT)
def test_into_itself_everything_is_inherited(name):
    source, target = (scrambled(Trunk(16, EXACT[name](16)), seed) for seed in (1, 2))
    plan = legatee.plan(source, target, example_inputs=IMAGES[:1])
    assert plan.inherited_fraction == 1


NARROWED = sorted(
    EXACT.keys()
    - {
        "a gate of neighbours",
        "a constant factor",
        "a constant added",
        "a constant filled part by part",
        "a constant of two pieces",
        "a constant that rises",
        "a norm of each head",
        "a dense layer of each head",
        "a convolution of each head",
    }
)


@pytest.mark.parametrize("name", NARROWED)
def test_a_narrower_network_inherits_channels_that_compute_what_they_computed(name):
    source = scrambled(Trunk(16, EXACT[name](16)), 1)
    target = zeros(Trunk(8, EXACT[name](8)))
    options = {"rule": "random", "class_map": CLASSES}
    plan = legatee.plan(source, target, example_inputs=IMAGES[:1], **options)
    assert plan.inherited_fraction > 0.95
    assert apart(source, target, IMAGES, plan) < 1e-5


@pytest.mark.parametrize("how", ["times", "plus"])
def test_channels_that_meet_a_constant_are_not_inherited_by_another_number_of_channels(how):
    source, target = (Trunk(width, Constant(width, how)) for width in (16, 8))
    with pytest.raises(legatee.LegateeError) as caught:
        legatee.plan(source, target, example_inputs=IMAGES[:1])
    assert (
        "stem.weight: its channels meet constants or positions, so that their order has a meaning, "
        "and the target has 8 of them, the source 16" in str(caught.value)
    )


@pytest.mark.parametrize("rule", ["random", "largest", "uniform"])
def test_each_group_of_a_normalisation_inherits_from_one_group(rule):
    source = scrambled(Trunk(16, nn.GroupNorm(2, 16)), 1)
    target = zeros(Trunk(8, nn.GroupNorm(2, 8)))
    plan = legatee.plan(source, target, rule=rule, seed=1)
    (stem,) = [move for move in plan.moves if move.target == "stem.weight"]
    pairs = dict(zip(positions(stem.put[0]), positions(stem.take[0]), strict=True))
    assert sorted(pairs) == list(range(8))
    assert all(pairs[place] // 8 == place // 4 for place in pairs)


def test_a_second_stream_does_not_take_the_columns_of_the_first():
    class Streams(nn.Module):
        def __init__(self, second: bool):
            super().__init__()
            self.first = nn.Conv2d(3, 8, 1)
            self.second = nn.Conv2d(3, 8, 1) if second else None
            self.fuse, self.head = nn.Conv2d(16 if second else 8, 6, 1), nn.Linear(6, 4)

        def forward(self, x):
            streams = [layer(x) for layer in (self.second, self.first) if layer is not None]
            return self.head(self.fuse(torch.cat(streams, 1)).mean((2, 3)))

    plan = legatee.plan(Streams(second=False), Streams(second=True), example_inputs=IMAGES[:1])
    (fuse,) = [move for move in plan.moves if move.target == "fuse.weight"]
    assert (fuse.take[1], fuse.put[1]) == ("0:8", "8:16")


def test_hidden_channels_beside_the_image_are_no_input_channels():
    class Again(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.stem, self.fuse = nn.Conv2d(3, width, 1), nn.Conv2d(width + 3, 5, 1)
            self.head = nn.Linear(5, 4)

        def forward(self, x):
            return self.head(self.fuse(torch.cat([self.stem(x), x], 1)).mean((2, 3)))

    plan = legatee.plan(Again(16), Again(8), example_inputs=IMAGES[:1])
    moves = {move.target: move for move in plan.moves}
    kept = positions(moves["stem.weight"].take[0])
    assert positions(moves["fuse.weight"].take[1]) == [*kept, 16, 17, 18]
    assert moves["fuse.weight"].blend is None


def qwen(width: int, heads: int):
    config = transformers.Qwen3Config(
        hidden_size=width, intermediate_size=48, num_hidden_layers=2, num_attention_heads=heads,
        num_key_value_heads=heads // 2, head_dim=8, vocab_size=40, tie_word_embeddings=False,
    )  # fmt: skip
    return transformers.Qwen3ForCausalLM(config)


def test_heads_that_share_a_norm_are_inherited_one_by_one():
    """Fewer heads of the same width: each is whole, with its own key and value head."""
    words = {number: number for number in range(40)}
    source, target = scrambled(qwen(32, 8), 1), zeros(qwen(32, 4))
    plan = legatee.plan(source, target, class_map=words)
    moves = {move.target: move for move in plan.moves}
    layer = "model.layers.0.self_attn"
    groups = [8 * n + i for n in (0, 2) for i in range(8)]  # key heads 0 and 2 of 4
    assert positions(moves[f"{layer}.k_proj.weight"].take[0]) == groups
    assert positions(moves[f"{layer}.v_proj.weight"].take[0]) == groups
    queries = [8 * n + i for n in (0, 1, 4, 5) for i in range(8)]  # two of each of these
    assert positions(moves[f"{layer}.q_proj.weight"].take[0]) == queries
    assert positions(moves[f"{layer}.o_proj.weight"].take[1]) == queries
    assert moves[f"{layer}.q_norm.weight"].take == ("0:8",)
    assert apart(source, target, TOKENS, plan) < 1e-5


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (
            transformers.BloomForCausalLM,
            transformers.BloomConfig(hidden_size=32, n_layer=2, n_head=4, vocab_size=40),
        ),
        (
            transformers.CTRLLMHeadModel,
            transformers.CTRLConfig(n_embd=32, dff=48, n_layer=2, n_head=4, vocab_size=40),
        ),
    ],
)
def test_slopes_and_sinusoids_keep_their_places(kind, config):
    source, target = scrambled(kind(config), 1), zeros(kind(config))
    plan = legatee.plan(source, target, alpha=0.5, rule="random", seed=1)
    embedding = next(
        m for m in plan.moves if m.target.endswith(("word_embeddings.weight", "w.weight"))
    )
    if kind is transformers.CTRLLMHeadModel:  # the sinusoids are added to the whole stream
        assert embedding.take[1] == "0:32"
    query = next(
        m for m in plan.moves if m.target.endswith(("query_key_value.weight", "Wq.weight"))
    )
    if kind is transformers.BloomForCausalLM:  # every head has a slope of its own
        assert positions(query.take[0]) == list(range(96))


@pytest.mark.parametrize("name", ["mixer_s32_224", "gmlp_s16_224", "resmlp_12_224"])
def test_positions_are_no_channels(name):
    with torch.device("meta"):
        network = timm.create_model(name)
    plan = legatee.plan(network, network, alpha=0.5, rule="random")
    size = 49 if name == "mixer_s32_224" else 196
    layers = ("mlp_tokens", "linear_tokens", "gate.proj")
    tokens = [move for move in plan.moves if any(layer in move.target for layer in layers)]
    along = [
        (move.take[axis], move.source_shape[axis])
        for move in tokens
        for axis in range(len(move.take))
        if move.source_shape[axis] == size
    ]
    assert along
    assert {take for take, _ in along} == {f"0:{size}"}
