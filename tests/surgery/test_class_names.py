"""Classes that mean the same, called by number or by name; the head is filled row by row."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import legatee
from legatee.errors import LegateeError
from surgery_references import differing, saved, scrambled, snapshot, spread
from surgery_zoo import small_resnet

PETS = ("cat", "dog", "fish")
ANIMALS = ("ant", "crane", "cat", "dog", "owl", "crane")  # a bird and a machine, as in ImageNet


def networks() -> tuple[nn.Module, nn.Module]:
    return scrambled(small_resnet(6, classes=6), 1), scrambled(small_resnet(4, classes=3), 2)


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        ({0: 2, 2: 4}, {}),
        ({"cat": 2, "fish": 4}, {"class_names": PETS}),
        ({"cat": "cat", "fish": "owl"}, {"class_names": PETS, "source_class_names": ANIMALS}),
        ({0: "cat", 2: "owl"}, {"source_class_names": list(ANIMALS)}),
    ],
    ids=["numbers", "names here", "names on both sides", "names there"],
)
def test_each_row_of_the_head_is_that_of_the_class_it_means(classes, names):
    source, target = networks()
    before = snapshot(target)
    legatee.inherit(legatee.plan(source, target, classes=classes, **names), source, target)
    stream = spread(24, 16)  # the channels that the head reads
    for row, meant in {0: 2, 2: 4}.items():
        assert torch.equal(target.head.weight[row], source.head.weight[meant, stream])
        assert torch.equal(target.head.bias[row], source.head.bias[meant])
    assert torch.equal(target.head.weight[1], before["head.weight"][1])
    assert torch.equal(target.head.bias[1], before["head.bias"][1])


def test_names_that_a_network_carries_itself_are_known():
    source, target = networks()
    source.config = SimpleNamespace(id2label=dict(enumerate(ANIMALS)))
    target.config = SimpleNamespace(id2label=dict(enumerate(PETS)))
    named = legatee.plan(source, target, classes={"dog": "owl"})
    assert named == legatee.plan(source, target, classes={1: 4})
    other = legatee.plan(source, target, classes={"fish": "owl"}, class_names=["fish", "a", "b"])
    assert other == legatee.plan(source, target, classes={0: 4})


def test_weight_and_bias_of_a_head_are_filled_together_or_not_at_all():
    source, target = networks()
    plan = legatee.plan(source, target, classes={"dog": 3}, class_names=PETS)
    rows = {m.target: m.put[0] for m in plan.moves if m.target.startswith("head.")}
    assert rows == {"head.weight": "1:2", "head.bias": "1:2"}
    for part in ("head.weight", "head.bias"):
        plan = legatee.plan(source, target, classes={1: 3}, exclude=[part])
        assert {r.target for r in plan.untouched} == {"head.weight", "head.bias"}


def test_names_alone_map_no_class():
    source, target = networks()
    plan = legatee.plan(source, target, class_names=PETS, source_class_names=ANIMALS)
    assert plan == legatee.plan(source, target)


BOTH = {"class_names": PETS, "source_class_names": ANIMALS}
REFUSED = {
    "a misspelt name here": ({"cta": 3}, BOTH, r"unknown class of the target 'cta'.*cat"),
    "a misspelt name there": ({0: "dgo"}, BOTH, r"unknown class of the source 'dgo'.*dog"),
    "a name of two classes": ({0: "crane"}, BOTH, "classes 1 and 5 of the source; give the number"),
    "a name without an order": ({0: "cat"}, {}, r"'cat' of the source.*give source_class_names"),
    "too few names": ({0: 0}, {"class_names": PETS[:2]}, "2 names.*3 classes of the target"),
    "a class twice": ({"cat": 1, 0: 2}, BOTH, "target class 0 was given twice, as 'cat' and 0"),
    "a number too high": ({0: 6}, BOTH, "the source has classes 0 to 5, not 6"),
    "a number below": ({-1: 2}, BOTH, "the target has classes 0 to 2, not -1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_classes_that_cannot_be_told_are_refused(case):
    classes, names, expected = REFUSED[case]
    source, target = networks()
    before = {name: tensor.clone() for name, tensor in saved(target).items()}
    with pytest.raises(LegateeError, match=expected):
        legatee.plan(source, target, classes=classes, **names)
    assert differing(before, saved(target)) == []
