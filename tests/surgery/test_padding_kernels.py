"""Kernels that go into the middle of larger ones: only when asked, and computing what they did."""

import json
from collections.abc import Sequence

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision import models

import legatee
from edited_plans import editable
from legatee.errors import TransferError
from surgery_references import blank, cured, outputs, poisoned, saved, scrambled, silence

Sides = tuple[int, int]
SMALL: tuple[Sides, ...] = ((1, 1), (1, 3), (3, 1), (3, 3))
LARGE: tuple[Sides, ...] = ((3, 3), (3, 3), (5, 3), (7, 5))


def chain(kernels: Sequence[Sides], width: int = 6, *, pad: bool = True) -> nn.Module:
    """Convolutions without biases, the last but one depthwise, and a head of four classes."""

    def conv(read: int, sides: Sides, groups: int = 1) -> nn.Conv2d:
        padding = (sides[0] // 2, sides[1] // 2) if pad else 0
        return nn.Conv2d(read, width, sides, padding=padding, groups=groups, bias=False)

    a, b, c, d = kernels
    layers = conv(3, a), conv(width, b), conv(width, c, width), conv(width, d)
    body = [step for layer in layers for step in (layer, nn.ReLU())]
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 4))


CLASSES = {number: number for number in range(4)}


def test_a_network_of_larger_kernels_computes_what_that_of_smaller_ones_did():
    source, target = scrambled(chain(SMALL), 1), scrambled(chain(LARGE), 2)
    assert not torch.allclose(outputs(source, (3, 9, 9)), outputs(target, (3, 9, 9)), atol=1e-2)
    plan = legatee.plan(source, target, pad_kernels=True, class_map=CLASSES)
    legatee.inherit(plan, source, target)
    assert torch.allclose(outputs(source, (3, 9, 9)), outputs(target, (3, 9, 9)), atol=1e-5)
    centre = functional.pad(source[0].weight, (1, 1, 1, 1))  # by hand: zeros all around
    assert torch.equal(target[0].weight, centre)
    assert torch.equal(target[2].weight, functional.pad(source[2].weight, (0, 0, 1, 1)))
    assert torch.equal(target[6].weight, functional.pad(source[6].weight, (1, 1, 2, 2)))


def test_a_narrower_network_computes_what_the_channels_that_are_kept_did():
    source, target = scrambled(chain(SMALL), 1), scrambled(chain(LARGE, 4), 2)
    plan = legatee.plan(source, target, pad_kernels=True, class_map=CLASSES)
    legatee.inherit(plan, source, target)
    kept = [0, 2, 3, 5]  # round(linspace(0, 5, 4))
    silence(source, {str(layer): kept for layer in (0, 2, 4, 6)})
    assert torch.allclose(outputs(source, (3, 9, 9)), outputs(target, (3, 9, 9)), atol=1e-5)


def test_every_element_of_a_larger_kernel_is_accounted_for():
    source, target = scrambled(chain(SMALL), 1), poisoned(chain(LARGE))
    plan = legatee.plan(source, target, pad_kernels=True)
    receipt = legatee.inherit(plan, source, target)
    found = {name: cured(tensor) for name, tensor in saved(target).items()}
    assert found == {
        entry.target: entry.inherited_elements + entry.zeroed for entry in receipt.tensors
    }
    assert found["0.weight"] == 6 * 3 * 3 * 3
    (first,) = [entry for entry in receipt.tensors if entry.target == "0.weight"]
    assert (first.inherited_elements, first.zeroed, first.untouched) == (6 * 3, 6 * 3 * 8, 0)
    zeros = sum(
        int((tensor == 0).sum()) for name, tensor in saved(target).items() if "weight" in name
    )
    assert zeros == sum(entry.zeroed for entry in receipt.tensors)
    assert f"{100 * plan.zeroed:.1f}% set to zero" in str(plan)


def test_unasked_no_kernel_grows_and_the_reason_says_how_it_could():
    plan = legatee.plan(chain(((1, 1), *LARGE[1:])), chain(LARGE))
    assert {m.target for m in plan.moves} == {"2.weight", "4.weight", "6.weight"}
    (first,) = [rest.reason for rest in plan.untouched if rest.target == "0.weight"]
    assert first == (
        "its kernel has size 3 in the target and 1 in the source; pass pad_kernels=True "
        "(--pad-kernels) to surround it by zeros"
    )


@pytest.mark.parametrize(
    ("small", "large"), [((3, 3), (1, 1)), ((2, 2), (3, 3)), ((1, 1), (2, 2)), ((5, 1), (3, 3))]
)
def test_only_an_odd_kernel_goes_into_a_larger_odd_one(small, large):
    rest = LARGE[1:]
    plan = legatee.plan(chain((small, *rest)), chain((large, *rest)), pad_kernels=True)
    assert "0.weight" in {rest.target for rest in plan.untouched}


def test_what_was_padded_is_named_and_so_is_padding_that_did_not_grow():
    plan = legatee.plan(chain(SMALL), chain(LARGE), pad_kernels=True)
    assert plan.warnings == (
        "'0.weight': 1x1 kernels are placed in the middle of 3x3 kernels of zeros",
        "'2.weight': 1x3 kernels are placed in the middle of 3x3 kernels of zeros",
        "'4.weight': 3x1 kernels are placed in the middle of 5x3 kernels of zeros",
        "'6.weight': 3x3 kernels are placed in the middle of 7x5 kernels of zeros",
    )
    narrower = legatee.plan(chain(SMALL, pad=False), chain(LARGE, pad=False), pad_kernels=True)
    assert narrower.warnings[0] == (
        "the padding differs in 4 inherited layers, such as '0.weight': 0 on every side for "
        "1x1 kernels in the source, 0 on every side for 3x3 kernels in the target"
    )


def test_of_two_axes_that_would_be_computed_by_different_rules_nothing_is_taken():
    grey = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 4, 1))
    colour = nn.Sequential(nn.Conv2d(3, 6, 1), nn.ReLU(), nn.Conv2d(6, 4, 1))
    with pytest.raises(TransferError, match="two of its axes differ in size"):
        legatee.plan(colour, grey, pad_kernels=True)


def test_a_plan_with_larger_kernels_survives_json_and_a_damaged_one_is_refused():
    plan = legatee.plan(chain(SMALL), chain(LARGE), pad_kernels=True)
    text = plan.to_json()
    assert legatee.TransferPlan.from_json(text) == plan
    edited = json.dumps(editable(plan))
    damaged = edited.replace('"how": "pad"', '"how": "sum"')
    assert damaged != edited
    with pytest.raises(TransferError, match="does not read one position for each it writes"):
        legatee.TransferPlan.from_json(damaged)


def test_zeros_are_no_reason_to_prefer_a_larger_kernel():
    source, target = blank(models.resnet50), blank(models.resnet34)
    plain, padded = (legatee.plan(source, target, pad_kernels=pad) for pad in (False, True))
    assert padded.inherited_fraction >= plain.inherited_fraction
    grown = {move.target for move in padded.moves if move.blend is not None}
    assert all(name.endswith("conv1.weight") for name in grown)
