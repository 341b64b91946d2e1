"""Networks that ask for numbers, take several inputs, or return objects are run and traced."""

import dataclasses
import types

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

import legatee
from legatee.errors import TraceError
from legatee.surgery.network.catalog import Catalog, read
from surgery_references import spread

IMAGE = torch.zeros(1, 3, 8, 8)
OFFSET = torch.full((4,), 0.5)
WORDS = torch.zeros(1, 6, dtype=torch.int64)


def members(catalog: Catalog) -> list[tuple]:
    return [(group.size, group.role, sorted(group.members)) for group in catalog.groups]


class Reader(nn.Module):
    """Reads words, and asks its tensors what a subclass asks."""

    def __init__(self, width: int = 4):
        super().__init__()
        self.words, self.first = nn.Embedding(9, width), nn.Linear(width, width)
        self.head = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score for each class [b, 2]."""
        return self.head(self.asked(x, self.first(self.words(x))).mean(1))

    def asked(self, x: Tensor, seen: Tensor) -> Tensor:
        """Return what was seen, after questions about the words."""
        return seen


class AsksWhetherAllIsSeen(Reader):
    def asked(self, x, seen):
        mask = x != 0
        return seen if mask.all() or not mask.any() else seen * mask[..., None]


class AsksForALength(Reader):
    def asked(self, x, seen):
        length = torch.full((1,), x.shape[1]).max().item()
        assert length == x.shape[1], "a number that is made of known ones is that number"
        return seen[:, :length]


class AsksForAList(Reader):
    def asked(self, x, seen):
        first, second = torch.arange(2, device=x.device).cpu().tolist()
        assert (first, second) == (0, 1)
        return seen[:, first:6]


class AsksWhatIsThere(Reader):
    def asked(self, x, seen):
        if (x == x).nonzero().shape != (x.numel(), 2):
            raise ValueError("every word is equal to itself")
        return seen


class AsksForNumbersAsTheyChange(Reader):
    def asked(self, x, seen):
        steps = torch.zeros(3, dtype=torch.int64, device=x.device)
        steps[1:] += 2
        assert steps.sum().item() == 4, "views of a tensor share its numbers"
        return seen


class ClampsWhatIsInfinite(Reader):
    def asked(self, x, seen):
        return seen.clamp(max=100.0) if torch.isinf(seen).any() else seen


class MakesTensorsElsewhere(Reader):
    def asked(self, x, seen):
        return seen + torch.zeros(seen.shape[-1]) * torch.rand(1, device="cpu")


class HoldsATensorThatIsNoBuffer(Reader):
    def asked(self, x, seen):
        return seen * OFFSET.to(seen.dtype)


@pytest.mark.parametrize("kind", Reader.__subclasses__())
def test_a_network_that_asks_a_tensor_for_numbers_is_traced_like_one_that_does_not(kind):
    assert members(read(kind(), WORDS)) == members(read(Reader(), WORDS))


def test_tracing_draws_no_random_number():
    network = MakesTensorsElsewhere(7)
    state = torch.get_rng_state()
    read(network, WORDS)
    assert torch.equal(torch.get_rng_state(), state)


class Denoiser(nn.Module):
    """Takes an image and a time."""

    def __init__(self, width: int):
        super().__init__()
        self.stem, self.time = nn.Conv2d(3, width, 3), nn.Linear(1, width)
        self.out = nn.Conv2d(width, 3, 3)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Return an image [b, 3, h, w]."""
        return self.out((self.stem(x) + self.time(t)[:, :, None, None]).relu())


class Flow(nn.Module):
    """Takes two images."""

    def __init__(self, width: int):
        super().__init__()
        self.each = nn.Conv2d(3, 3, 1)
        self.stem, self.out = nn.Conv2d(6, width, 3), nn.Conv2d(width, 2, 3)

    def forward(self, before: Tensor, after: Tensor) -> Tensor:
        """Return where each pixel goes [b, 2, h, w]."""
        return self.out(self.stem(torch.cat([self.each(before), self.each(after)], 1)))


class HeadFirst(nn.Module):
    """Holds its last layer first."""

    def __init__(self, width: int):
        super().__init__()
        self.head, self.stem = nn.Linear(width, 5), nn.Conv2d(3, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score for each class [b, 5]."""
        return self.head(self.stem(x).mean((2, 3)))


class Recurrent(nn.Module):
    """Reads a series."""

    def __init__(self, width: int):
        super().__init__()
        self.read = nn.Conv1d(4, width, 5)
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return one score for each class [b, 3]."""
        return self.head(self.read(x).mean(2))


def volumes(width: int) -> nn.Module:
    layers = (nn.Conv3d(1, width, 3), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(width, 5))


INPUTS = {
    Denoiser: (IMAGE, torch.zeros(1, 1)),
    Flow: (IMAGE[:, :3], IMAGE[:, :3]),
    HeadFirst: IMAGE,
    Recurrent: torch.zeros(1, 4, 20),
    volumes: torch.zeros(1, 1, 6, 6, 6),
}


@pytest.mark.parametrize("make", INPUTS, ids=lambda make: make.__name__)
def test_guessed_inputs_show_what_given_inputs_show(make):
    assert members(read(make(8))) == members(read(make(8), INPUTS[make]))
    hidden = [group.size for group in read(make(8)).groups if group.role == "hidden"]
    assert 8 in hidden


def tiny(name: str, **sizes: object) -> nn.Module:
    import transformers

    config = transformers.AutoConfig.for_model(name, **sizes)
    with torch.device("meta"):
        return transformers.AutoModel.from_config(config)


BLOCKS = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12}
SEQ2SEQ = {
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 12,
    "decoder_ffn_dim": 12,
}
NETWORKS = {
    "t5": lambda: tiny("t5", d_model=8, d_kv=4, d_ff=12, num_layers=1, num_heads=2, vocab_size=20),
    "bart": lambda: tiny("bart", d_model=8, vocab_size=20, **SEQ2SEQ),
    "whisper": lambda: tiny(
        "whisper",
        d_model=8,
        num_mel_bins=6,
        max_source_positions=10,
        vocab_size=20,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        **SEQ2SEQ,
    ),
    "siglip": lambda: tiny(
        "siglip",
        text_config={"hidden_size": 8, "vocab_size": 20, "projection_size": 8, **BLOCKS},
        vision_config={"hidden_size": 8, "image_size": 20, "patch_size": 10, **BLOCKS},
    ),
    "deberta-v2": lambda: tiny("deberta-v2", hidden_size=8, vocab_size=20, **BLOCKS),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_all_weights_of_networks_of_words_images_and_sounds_are_reached_without_inputs(name):
    network = NETWORKS[name]()
    catalog = read(network)
    reached = {use_name for use in catalog.uses for use_name in use.reads.values()}
    matrices = {name for name, x in network.named_parameters(remove_duplicate=True) if x.ndim > 1}
    assert matrices <= reached


@dataclasses.dataclass
class Result:
    logits: Tensor
    loss: object = None


class Slotted:
    __slots__ = ("logits",)

    def __init__(self, logits: Tensor):
        self.logits = logits


class Mapped(dict):
    pass


class Cache:
    def __init__(self, keys: Tensor):
        self.keys = keys


class Wrapping(HeadFirst):
    """Returns its scores in something."""

    def __init__(self, wrap: object):
        super().__init__(8)
        self.wrap = wrap

    def forward(self, x: Tensor) -> object:
        """Return the scores, wrapped."""
        hidden = self.stem(x).mean((2, 3))
        return self.wrap(self.head(hidden), hidden)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda x, h: {"logits": x},
        lambda x, h: Result(x),
        lambda x, h: types.SimpleNamespace(logits=x),
        lambda x, h: Slotted(x),
        lambda x, h: Mapped(logits=x),
        lambda x, h: {"main": Result(x)},
        lambda x, h: (x, Cache(h)),
    ],
    ids=["dict", "dataclass", "namespace", "slots", "mapping", "nested", "beside a cache"],
)
def test_classes_are_what_a_network_returns_in_whatever_object(wrap):
    groups = read(Wrapping(wrap), IMAGE).groups
    shown = [axis for group in groups if group.role == "class" for axis in group.members]
    assert sorted(shown) == [("head.bias", 0), ("head.weight", 0)]


def test_plans_do_not_depend_on_the_default_device():
    networks = HeadFirst(9), HeadFirst(4)
    usual = legatee.plan(*networks, alpha=0.5, rule="largest")
    with torch.device("meta"):
        within = legatee.plan(*networks, alpha=0.5, rule="largest")
    assert within == usual


class Outer(nn.Module):
    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Return what the network inside returns."""
        return self.net(x)


WRAPPED = {
    "averaged": AveragedModel,
    "averaged, parallel": lambda net: AveragedModel(nn.DataParallel(net)),
    "compiled, parallel": lambda net: torch.compile(nn.DataParallel(net)),
    "parallel, compiled": lambda net: nn.DataParallel(torch.compile(net)),
    "twice parallel": lambda net: nn.DataParallel(nn.DataParallel(net)),
    "compiled inside of a network": lambda net: Outer(torch.compile(net)),
    "parallel inside of a network": lambda net: Outer(nn.DataParallel(net)),
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_wrapped_networks_give_and_take_what_they_hold(wrap):
    wide, narrow = HeadFirst(9), HeadFirst(4)
    rows = {move.target: move.take for move in legatee.plan(wide, narrow).moves}
    assert rows["stem.weight"][0] == "0:1,3:4,5:6,8:9"
    assert spread(9, 4) == [0, 3, 5, 8]
    for source, target in ((wrap(wide), narrow), (wide, wrap(narrow))):
        moves = legatee.plan(source, target).moves
        assert sorted(move.take for move in moves) == sorted(rows.values())


def test_parts_that_are_compiled_have_the_names_that_they_had_before():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))
    network[2] = torch.compile(network[2])
    network[0].compile()
    plain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))
    moves = legatee.plan(network, plain, class_map={n: n for n in range(4)}).moves
    assert {move.target for move in moves} == plain.state_dict().keys()


def test_a_network_that_no_guess_fits_says_what_was_tried_and_what_to_pass():
    class Fussy(HeadFirst):
        def forward(self, x: Tensor) -> Tensor:
            """Refuse everything."""
            raise ValueError("no")

    with pytest.raises(TraceError) as caught:
        legatee.catalog(Fussy(4))
    text = str(caught.value)
    assert "does not run on inputs of shape (1, 4): no" in text
    assert "other guesses fail too" in text
    assert "example_inputs=" in text


def test_a_setting_that_holds_for_all_axes_of_a_convolution_is_read():
    def valid(stride: int) -> nn.Module:
        first = nn.Conv2d(3, 4, 3, stride, padding="valid")  # its padding is one number for both
        return nn.Sequential(first, nn.ReLU(), nn.Conv2d(4, 2, 1))

    (first, _) = read(valid(2), IMAGE).uses
    assert (first.padding, first.stride, first.dilation) == (((0, 0),) * 2, (2, 2), (1, 1))
    assert legatee.plan(valid(1), valid(1)).inherited_fraction == 1.0
