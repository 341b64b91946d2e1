"""Differences between inherited layers that no weight shows, in the sentences that name them."""

from collections import OrderedDict
from collections.abc import Callable

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import legatee
from legatee.surgery.network.catalog import read


class Pair(nn.Module):
    """Two convolutions with norms, and what may lie before, behind and between them."""

    def __init__(
        self,
        *,
        before: Callable[[Tensor], Tensor] = nn.Identity(),  # noqa: B008
        act: Callable[[Tensor], Tensor] = F.relu,
        between: nn.Module | None = None,
        eps: float = 1e-5,
        **options,
    ):
        super().__init__()
        self.one = nn.Conv2d(3, 6, 3, bias=False, **({"padding": 1} | options))
        self.norm = nn.BatchNorm2d(6, eps=eps)
        self.between = between or nn.Identity()
        self.two = nn.Conv2d(6, 6, 1)
        self.head = nn.Linear(6, 2)
        self.before, self.act = before, act

    def forward(self, x):
        x = self.between(self.act(self.norm(self.one(self.before(x)))))
        return self.head(self.two(x).mean((2, 3)))


class Gate(nn.Module):
    """A squeeze-and-excitation."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Conv2d(6, 2, 1), nn.Conv2d(2, 6, 1)

    def forward(self, x):
        return x * self.excite(self.squeeze(x.mean((2, 3), keepdim=True)).relu()).sigmoid()


def warnings(source: nn.Module, target: nn.Module) -> tuple[str, ...]:
    return legatee.plan(source, target, class_map={0: 0, 1: 1}).warnings


CASES = {
    "stride": (
        {},
        {"stride": 2},
        "the stride differs in 1 inherited layer, such as 'one.weight': 1x1 in the source, 2x2 in "
        "the target",
    ),
    "dilation": (
        {"dilation": (2, 1), "padding": (2, 1)},
        {},
        "the dilation differs in 1 inherited layer, such as 'one.weight': 2x1 in the source, 1x1 "
        "in the target",
    ),
    "padding": (
        {},
        {"padding": 0},
        "the padding differs in 1 inherited layer, such as 'one.weight': 1 on every side for 3x3 "
        "kernels in the source, 0 on every side for 3x3 kernels in the target",
    ),
    "padding on one side": (
        {"padding": 0, "before": lambda x: F.pad(x, (0, 1, 1, 2))},
        {},
        "the padding differs in 1 inherited layer, such as 'one.weight': 1 before and 2 after, 0 "
        "before and 1 after for 3x3 kernels in the source, 1 on every side for 3x3 kernels in the "
        "target",
    ),
    "eps": (
        {"eps": 1e-3},
        {},
        "the eps of the normalisation differs in 1 inherited layer, such as 'norm.weight': 0.001 "
        "in the source, 1e-05 in the target",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_setting_that_differs_is_named_with_both_values(case):
    source, target, sentence = CASES[case]
    assert warnings(Pair(**source), Pair(**target)) == (sentence,)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ({}, {}),
        ({"padding": 0, "before": lambda x: F.pad(x, (1, 1, 1, 1))}, {}),
        ({"dilation": 2, "padding": 2, "stride": 2}, {"dilation": 2, "padding": 2, "stride": 2}),
        ({"act": lambda x: F.relu(x, inplace=True)}, {}),
        ({"act": nn.ReLU6()}, {"act": lambda x: F.hardtanh(x, 0, 6)}),
        ({"act": nn.Identity()}, {"act": nn.Identity()}),
        ({"between": Gate()}, {"between": Gate()}),
    ],
)
def test_layers_that_compute_the_same_are_not_warned_of(source, target):
    assert warnings(Pair(**source), Pair(**target)) == ()


@pytest.mark.parametrize(
    ("source", "target", "names"),
    [
        (nn.ReLU6(), nn.SiLU(), ("ReLU6", "SiLU")),
        (nn.ReLU(), nn.Identity(), ("ReLU", "none")),
        (nn.Identity(), nn.Hardswish(), ("none", "Hardswish")),
        (nn.GELU(), nn.GELU("tanh"), ("GELU", "GELU (tanh approximation)")),
        (nn.LeakyReLU(0.2), nn.LeakyReLU(), ("LeakyReLU(0.2)", "LeakyReLU")),
        (nn.Hardtanh(), nn.Tanh(), ("Hardtanh", "Tanh")),
    ],
)
def test_another_activation_is_named(source, target, names):
    assert warnings(Pair(act=source), Pair(act=target)) == (
        f"the activation differs in 1 inherited layer, such as 'norm.weight': {names[0]} in the "
        f"source, {names[1]} in the target",
    )


def test_an_activation_behind_a_layer_without_a_norm_is_compared_too():
    source, target = (
        nn.Sequential(nn.Linear(3, 4), act, nn.Linear(4, 2)) for act in (nn.ReLU(), nn.Tanh())
    )
    assert warnings(source, target) == (
        "the activation differs in 1 inherited layer, such as '0.weight': ReLU in the source, Tanh "
        "in the target",
    )


def test_an_activation_counts_behind_the_norm_where_only_one_network_has_a_norm():
    """Both networks put a ReLU behind the first layer, one of them behind its norm."""

    def network(*between):
        layers = [("one", nn.Linear(3, 4)), *between, ("act", nn.ReLU()), ("two", nn.Linear(4, 2))]
        return nn.Sequential(OrderedDict(layers))

    normed, plain = network(("norm", nn.LayerNorm(4))), network()
    assert warnings(normed, plain) == ()
    assert not any("activation" in warning for warning in warnings(plain, normed))


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_gate_that_only_one_network_has_is_named(side):
    plain, gated = Pair(), Pair(between=Gate())
    source, target = (gated, plain) if side == "source" else (plain, gated)
    assert warnings(source, target) == (
        f"only in the {side}, 1 inherited layer reads the output of squeeze-and-excitation, such "
        "as 'two.weight' that of 'between.excite.weight'",
    )


def test_a_layer_that_is_put_between_two_inherited_ones_is_named():
    target = Pair(between=nn.Conv2d(6, 6, 1))
    assert warnings(Pair(), target)[1:] == (
        "only in the target, 1 inherited layer reads the output of another layer, such as "
        "'two.weight' that of 'between.weight'",
    )


def test_a_block_of_a_deeper_source_that_is_left_out_is_not_warned_of():
    with torch.device("meta"):
        deep, shallow = (
            timm.create_model("vit_tiny_patch16_224", depth=depth, num_classes=2)
            for depth in (6, 3)
        )
    assert warnings(deep, shallow) == ()


def test_what_differs_between_two_published_networks_is_named_with_its_count():
    """timm's EfficientNet-Lite0 has 5 strided convolutions and 49 norms; B0 has 16 gates more."""
    with torch.device("meta"):
        source = timm.create_model("tf_efficientnet_lite0")
        target = timm.create_model("efficientnet_b0")
    text = "\n".join(legatee.plan(source, target).warnings)
    assert "the padding differs in 5 inherited layers, such as 'conv_stem.weight': 0 before" in text
    assert "the eps of the normalisation differs in 49 inherited layers, such as 'bn1.w" in text
    assert "such as 'bn1.weight': ReLU6 in the source, SiLU in the target" in text
    assert "only in the target, 16 inherited layers read the output of squeeze-and-exc" in text


def test_a_trace_knows_activation_eps_padding_and_gates_of_every_use():
    network = Pair(act=nn.SiLU(), between=Gate(), eps=0.5, padding=(0, 2), stride=2)
    uses = {use.main: use for use in read(network).uses}
    assert uses["one.weight"].padding == ((0, 0), (2, 2))
    assert (uses["norm.weight"].activation, uses["norm.weight"].eps) == ("SiLU", 0.5)
    assert uses["between.squeeze.weight"].activation == "ReLU"
    gates = {name for name, use in uses.items() if use.gates}
    assert gates == {"between.excite.weight"}


class Residual(nn.Module):
    """Two layers of which the second may be added to what it reads."""

    def __init__(self, *, skip: bool, more: bool = False):
        super().__init__()
        self.stem, self.one = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 1)
        self.more = nn.Conv2d(6, 6, 1) if more else None
        self.two, self.head = nn.Conv2d(6, 6, 1), nn.Linear(6, 2)
        self.skip = skip

    def forward(self, x):
        x = self.stem(x)
        x = x + self.one(x) if self.skip else self.one(x)
        x = x if self.more is None else x + self.more(x)
        return self.head(self.two(x).mean((2, 3)))


def test_a_skip_connection_that_one_network_lacks_is_named():
    with_skip, without = Residual(skip=True), Residual(skip=False)
    assert warnings(with_skip, without) == (
        "only in the source, 1 inherited layer also reads the output of an earlier layer, as "
        "through a skip connection, such as 'two.weight' that of 'stem.weight'",
    )
    assert warnings(with_skip, Residual(skip=True)) == ()
    assert warnings(without, Residual(skip=False)) == ()


def test_skip_connections_around_a_layer_that_one_network_lacks_are_no_difference():
    deep, shallow = Residual(skip=True, more=True), Residual(skip=True)
    assert not any("skip" in text for text in legatee.plan(deep, shallow).warnings)


def test_another_number_of_groups_of_a_group_normalisation_is_named():
    def network(groups):
        return nn.Sequential(nn.Conv2d(3, 8, 1), nn.GroupNorm(groups, 8), nn.Conv2d(8, 2, 1))

    (warning,) = (w for w in legatee.plan(network(2), network(4)).warnings if "groups" in w)
    assert warning == (
        "the number of groups of the normalisation differs in 1 inherited layer, such as "
        "'1.weight': 2 in the source, 4 in the target"
    )
