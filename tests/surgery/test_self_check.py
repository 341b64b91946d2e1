"""The self-check calls a plan consistent if it is, and else names the group and the cause."""

import pytest
import timm
import torch
import transformers
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torchvision import models

import legatee
from legatee.models.build import build
from legatee.plans.moves import Move
from legatee.plans.plan import TransferPlan
from legatee.surgery.checking.check import self_check
from legatee.surgery.network.operations import pointwise
from surgery_references import same_bits, scrambled, snapshot
from surgery_zoo import ZOO, bottleneck, cnn, densenet, small_resnet

TABLES = ("wte.weight", "embed_tokens.weight")  # whose rows are looked up as the plan moves them
TOKENS = torch.zeros(1, 12, dtype=torch.int64)


def mlp(width: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(5, width), nn.ReLU(), nn.Linear(width, 2 * width), nn.Linear(2 * width, 3)
    )


def vit(width: int, heads: int, depth: int = 2) -> nn.Module:
    sizes = {"embed_dim": width, "num_heads": heads, "depth": depth}
    return timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=5, **sizes)


def gpt2(width: int, heads: int) -> nn.Module:
    config = transformers.GPT2Config(
        vocab_size=50,
        n_embd=width,
        n_head=heads,
        n_layer=2,
        n_positions=16,
        bos_token_id=0,
        eos_token_id=0,
    )
    return transformers.GPT2LMHeadModel(config)


def llama(width: int, heads: int, inner: int = 64) -> nn.Module:
    config = transformers.LlamaConfig(
        vocab_size=50,
        hidden_size=width,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        intermediate_size=inner,
        num_hidden_layers=2,
        max_position_embeddings=16,
    )
    return transformers.LlamaForCausalLM(config)


def grouped(width: int) -> nn.Module:
    """Groups of two channels, then each channel by itself."""
    return nn.Sequential(
        nn.Conv2d(3, width, 3),
        nn.Conv2d(width, width, 3, groups=width // 2),
        nn.Conv2d(width, width, 3, groups=width),
        nn.Conv2d(width, 4, 1),
    )


def normed(width: int) -> nn.Module:
    """A layer whose weight is computed from two tensors, of which 0/0 where it is silenced."""
    return nn.Sequential(
        parametrizations.weight_norm(nn.Conv2d(3, width, 3)), nn.ReLU(), nn.Conv2d(width, 4, 1)
    )


def coloured(channels: int) -> nn.Module:
    return build("cnn:widths=6-8", num_classes=4, input_shape=(channels, 16, 16), seed=0)


# --- plans that are consistent --------------------------------------------------------------------

CONSISTENT = {
    "mlp": (mlp(8), mlp(5)),
    "wider mlp": (mlp(5), mlp(8)),
    "cnn with norms": (cnn("13-7-20"), cnn("5-7-11")),
    "resnet": (small_resnet(12), small_resnet(8)),
    "bottleneck of grouped convolutions": (bottleneck(4, groups=12), bottleneck(4, groups=8)),
    "densenet": (densenet(8, 16), densenet(4, 10)),
    "mobilenet": (
        models.mobilenet_v3_small(num_classes=4),
        models.mobilenet_v3_small(width_mult=0.75, num_classes=4),
    ),
    "vit of another depth": (vit(32, 2, 3), vit(32, 2)),
    "computed weights": (normed(8), normed(4)),
    "one channel of three": (
        coloured(3),
        coloured(1),
    ),
    "four channels of three": (
        coloured(3),
        coloured(4),
    ),
} | {
    name: (ZOO[name](16), ZOO[name](8))
    for name in ("tied", "twice", "concat", "flat", "squeeze", "bare", "transposed", "gated")
}


@pytest.mark.parametrize("pair", CONSISTENT)
def test_a_plan_whose_channels_compute_what_they_computed_is_called_consistent(pair):
    plan = legatee.plan(*CONSISTENT[pair], check=True)
    assert plan.check.verdict == "consistent", str(plan.check)
    assert plan.check.agreeing == plan.check.groups >= 2
    assert not any("consistent" in warning for warning in plan.warnings)
    assert "checked: consistent" in plan.headline


@pytest.mark.parametrize("rule", ["random", "largest", "first"])
def test_a_share_of_the_channels_is_consistent_by_every_rule(rule):
    networks = scrambled(small_resnet(12), 1), scrambled(small_resnet(10), 2)
    check = legatee.plan(*networks, alpha=0.6, rule=rule, seed=4, check=True).check
    assert (check.verdict, check.agreeing) == ("consistent", check.groups)


APART = {
    "vit": (vit(48, 3), vit(32, 2), None, "native_layer_norm of 'blocks.0.norm1.weight'"),
    "wider vit": (vit(32, 2), vit(48, 3), None, "native_layer_norm of 'blocks.0.norm1.weight'"),
    "gpt2": (
        gpt2(48, 3),
        gpt2(32, 2),
        TOKENS,
        "native_layer_norm of 'transformer.h.0.ln_1.weight'",
    ),
    "llama": (llama(64, 4), llama(32, 2), TOKENS, "mean after 'model.embed_tokens.weight'"),
    "group norm": (
        ZOO["normed"](16),
        ZOO["normed"](8),
        None,
        "native_group_norm of 'group.weight'",
    ),
}


@pytest.mark.parametrize("pair", APART)
def test_normalisation_across_channels_is_named_and_everything_else_checked(pair):
    source, target, example, cause = APART[pair]
    plan = legatee.plan(source, target, example_inputs=example, check=True)
    assert plan.check.verdict == "except_normalisation", str(plan.check)
    assert plan.check.agreeing == plan.check.groups
    assert [cause in difference.why for difference in plan.check.differences] == [True]
    assert plan.check.differences[0].size in (32, 48, 8)
    assert plan.check.normalisations[0].split()[0] in cause
    assert "consistent apart from normalisation across channels" in plan.headline
    assert not any("is not consistent" in warning for warning in plan.warnings)


def test_a_llama_of_the_same_width_is_consistent_although_it_computes_norms_in_single_precision():
    plan = legatee.plan(
        llama(32, 2, 64).half(), llama(32, 2, 48).half(), example_inputs=TOKENS, check=True
    )
    assert plan.check.verdict == "consistent"


def test_a_softmax_over_channels_is_named():
    class Gate(nn.Module):
        def __init__(self, width: int):
            super().__init__()
            self.first, self.last = nn.Linear(5, width), nn.Linear(width, width)
            self.head = nn.Linear(width, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.last(self.first(x).softmax(-1)))

    check = legatee.plan(Gate(8), Gate(4), check=True).check
    assert check.verdict == "except_normalisation"
    assert "_softmax after 'first.weight' combines channels" in check.differences[0].why


# --- plans that are not ---------------------------------------------------------------------------


def rotated(positions: str) -> str:
    """The same positions, each in the place of another one."""
    listed = [i for run in positions.split(",") for i in range(*map(int, run.split(":")))]
    return ",".join(f"{i}:{i + 1}" for i in listed[1:] + listed[:1])


def broken(plan: TransferPlan, name: str, axis: int) -> TransferPlan:
    """The plan, by which one axis of one tensor takes other channels."""

    def edited(entry: Move) -> Move:
        if entry.target != name:
            return entry
        take = (*entry.take[:axis], rotated(entry.take[axis]), *entry.take[axis + 1 :])
        return entry.model_copy(update={"take": take})

    return plan.model_copy(update={"entries": tuple(edited(e) for e in plan.entries)})


BREAKABLE = {
    "mlp": (mlp(8), mlp(5), None),
    "cnn": (cnn("12-10"), cnn("8-6"), None),
    "resnet": (small_resnet(6), small_resnet(4), None),
    "grouped": (grouped(12), grouped(8), None),
    "squeeze": (ZOO["squeeze"](16), ZOO["squeeze"](8), None),
    "transposed": (ZOO["transposed"](16), ZOO["transposed"](8), None),
    "vit": (vit(48, 3), vit(32, 2), None),
    "gpt2": (gpt2(48, 3), gpt2(32, 2), TOKENS),
    "llama": (llama(64, 4), llama(32, 2), TOKENS),
}


@pytest.mark.parametrize("name", BREAKABLE)
def test_a_single_axis_that_takes_other_channels_is_found_and_its_layer_named(name):
    source, target, example = BREAKABLE[name]
    plan = legatee.plan(source, target, example_inputs=example)
    axes = [
        (move.target, axis)
        for move in plan.moves
        for axis, (_, size) in enumerate(move.counts)
        if size > 1 and (axis or not move.target.endswith(TABLES))
    ]
    for tensor, axis in axes[:: max(1, len(axes) // 5)]:
        check = self_check(broken(plan, tensor, axis), source, target, example).check
        assert check.verdict == "inconsistent", (tensor, axis, str(check))
        layers = {layer for found in check.differences for layer in found.layers}
        assert layers & {tensor, tensor.rpartition(".")[0]}, (tensor, axis, str(check))


def test_a_reader_of_other_channels_is_said_to_read_them():
    source, target = small_resnet(12), small_resnet(8)
    plan = self_check(
        broken(legatee.plan(source, target), "blocks.0.conv2.weight", 1), source, target
    )
    assert [(d.layers, d.size) for d in plan.check.differences] == [
        (("blocks.0.conv1", "blocks.0.norm1", "blocks.0.conv2"), 8)
    ]
    why = plan.check.differences[0].why
    assert why.startswith("'blocks.0.conv2.weight' reads other channels than those of 'blocks.0")
    assert "checked: NOT consistent in" in plan.headline
    assert plan.warnings[0].startswith("the plan is not consistent: ")


@torch.library.custom_op("selfcheck::turned", mutates_args=())
def turned(x: Tensor) -> Tensor:
    """Turn the channels around."""
    return x.flip(1)


@turned.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


class Turned(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.stem, self.last = nn.Conv2d(3, width, 3), nn.Conv2d(width, width, 1)
        self.head = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.last(torch.ops.selfcheck.turned(self.stem(x))).mean((2, 3)))


def test_a_wrong_rule_of_the_user_is_found_and_its_operation_named():
    rules = {torch.ops.selfcheck.turned: pointwise}  # wrong: it moves channels
    plan = legatee.plan(Turned(12), Turned(8), rule="first", operations=rules, check=True)
    assert plan.check.verdict == "inconsistent"
    assert "turned after 'stem.weight'" in plan.check.differences[0].why
    assert plan.check.differences[0].layers == ("stem", "last")


def test_layers_that_are_paired_by_position_alone_are_not_called_consistent():
    source, target = bottleneck(4), small_resnet(8)
    assert legatee.plan(source, target, match="roles", check=True).check.verdict == "inconsistent"


# --- what is asked of it --------------------------------------------------------------------------


def test_the_check_changes_neither_network_nor_the_global_generator():
    source, target = scrambled(small_resnet(12).train(), 1), scrambled(small_resnet(8).train(), 2)
    before, generator = [snapshot(n) for n in (source, target)], torch.get_rng_state()
    legatee.plan(source, target, check=True)
    assert all(same_bits(a, snapshot(n)) for a, n in zip(before, (source, target), strict=True))
    assert source.training
    assert torch.equal(generator, torch.get_rng_state())


def test_the_same_plan_is_checked_with_the_same_result_whatever_the_weights():
    one, other = (
        legatee.plan(scrambled(vit(48, 3), seed), scrambled(vit(32, 2), seed + 2), check=True)
        for seed in (1, 2)
    )
    assert one == other


def test_a_checked_plan_is_the_same_after_a_trip_through_json():
    plan = legatee.plan(vit(48, 3), vit(32, 2), check=True)
    assert TransferPlan.from_json(plan.to_json()) == plan
    assert str(plan.check) in str(plan)


def test_networks_without_weights_are_checked():
    with torch.device("meta"):
        source, target = vit(48, 3), vit(32, 2)
    assert legatee.plan(source, target, check=True).check.verdict == "except_normalisation"


def test_networks_that_cannot_run_are_said_to_be_unchecked():
    plan = legatee.plan(
        vit(32, 2),
        timm.create_model(
            "vit_tiny_patch16_224", embed_dim=32, num_heads=2, depth=2, img_size=64, num_classes=5
        ),
        check=True,
    )
    assert plan.check.verdict == "unchecked"
    assert "do not run on the same inputs" in plan.check.reason
    assert "consistency not checked" in plan.headline
    assert plan.warnings[0].startswith("the consistency of the plan could not be checked: ")


def test_a_check_that_is_repeated_replaces_its_warning():
    source, target = mlp(8), mlp(5)
    plan = legatee.plan(source, target)
    bad = self_check(broken(plan, "2.weight", 1), source, target)
    again = self_check(bad, source, target)
    assert again == bad
    assert (
        self_check(bad.model_copy(update={"entries": plan.entries}), source, target).warnings
        == plan.warnings
    )
