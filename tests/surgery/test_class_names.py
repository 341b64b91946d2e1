"""Classes that mean the same, called by number or by name; the head is filled row by row."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torchvision import models

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
    legatee.inherit(legatee.plan(source, target, class_map=classes, **names), source, target)
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
    named = legatee.plan(source, target, class_map={"dog": "owl"})
    assert named.entries == legatee.plan(source, target, class_map={1: 4}).entries
    other = legatee.plan(source, target, class_map={"fish": "owl"}, class_names=["fish", "a", "b"])
    assert other.entries == legatee.plan(source, target, class_map={0: 4}).entries


def test_weight_and_bias_of_a_head_are_filled_together_or_not_at_all():
    source, target = networks()
    plan = legatee.plan(source, target, class_map={"dog": 3}, class_names=PETS)
    rows = {m.target: m.put[0] for m in plan.moves if m.target.startswith("head.")}
    assert rows == {"head.weight": "1:2", "head.bias": "1:2"}
    for part in ("head.weight", "head.bias"):
        plan = legatee.plan(source, target, class_map={1: 3}, exclude=[part])
        assert {r.target for r in plan.untouched} == {"head.weight", "head.bias"}


def rows(plan: legatee.TransferPlan) -> set[tuple[str, str]]:
    return {(m.take[0], m.put[0]) for m in plan.moves if m.target.startswith("head.")}


def test_names_alone_decide_where_both_networks_have_them():
    """ANIMALS has a cat and a dog as its classes 2 and 3; PETS as 0 and 1."""
    source, target = networks()
    plan = legatee.plan(source, target, class_names=PETS, source_class_names=ANIMALS)
    assert rows(plan) == {("2:4", "0:2")}
    assert plan.warnings == (
        "2 of the target's 3 classes have the same name in the source and are inherited ('cat' is "
        "0 in the target, 2 in the source; 'dog' is 1 in the target, 3 in the source)",
    )
    assert rows(legatee.plan(source, target, class_names=PETS)) == set()


INSECTS = ("ant", "bee", "cat")


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        (INSECTS, INSECTS, {("0:3", "0:3")}),
        (INSECTS, ("cat", "ant", "bee"), {("1:3,0:1", "0:3")}),
        (INSECTS, ("cow", "dog", "eel"), set()),
        (INSECTS, ("dog", "dog", "cat"), {("2:3", "2:3")}),
        (("ant", "ant", "cat"), INSECTS, {("2:3", "2:3")}),
        (INSECTS, None, {("0:3", "0:3")}),
    ],
    ids=["equal", "turned", "none", "twice there", "twice here", "unknown"],
)
@pytest.mark.parametrize("carried", [False, True])
def test_names_of_equal_architectures_are_heeded(here, there, expected, carried):
    source, target = small_resnet(4, classes=3), small_resnet(4, classes=3)
    given = {"class_names": here, "source_class_names": there}
    if carried:
        given = {}
        for network, names in (
            (target, here),
            (source, there or ("LABEL_0", "LABEL_1", "LABEL_2")),
        ):
            network.config = SimpleNamespace(id2label=dict(enumerate(names)))
    plan = legatee.plan(source, target, **given)
    assert rows(plan) == expected
    assert ("the head is not inherited" in " ".join(plan.warnings)) == (not expected)
    assert rows(legatee.plan(source, target, head=False, **given)) == set()


def test_equal_names_make_heads_of_other_architectures_the_same():
    source, target = small_resnet(6, classes=3), small_resnet(4, classes=3)
    names = {"class_names": INSECTS, "source_class_names": list(INSECTS)}
    assert rows(legatee.plan(source, target, **names)) == {("0:3", "0:3")}
    assert rows(legatee.plan(source, target)) == set()


@pytest.mark.parametrize(
    "labels",
    [dict(enumerate(INSECTS)), {"2": "cat", "0": "ant", "1": "bee"}, list(INSECTS)],
    ids=["numbers", "text", "list"],
)
def test_a_config_names_classes_in_any_form(labels):
    source, target = small_resnet(4, classes=3), small_resnet(4, classes=3)
    target.config = SimpleNamespace(id2label=labels)
    plan = legatee.plan(source, target, class_map={"bee": 0})
    assert rows(plan) == {("0:1", "1:2")}


@pytest.mark.parametrize(
    "labels", [{0: "ant", 1: "bee"}, {1: "ant", 2: "bee", 3: "cat"}], ids=["fewer", "from one"]
)
def test_names_of_another_task_are_not_those_of_the_head(labels):
    source, target = small_resnet(4, classes=3), small_resnet(4, classes=3)
    target.config = SimpleNamespace(id2label=labels)
    names = {"source_class_names": ("cat", "ant", "bee")}
    assert rows(legatee.plan(source, target, **names)) == {("0:3", "0:3")}


@pytest.mark.parametrize("side", ["class_names", "source_class_names"])
def test_names_are_counted_even_where_no_class_is_called(side):
    source, target = small_resnet(4, classes=3), small_resnet(4, classes=3)
    with pytest.raises(LegateeError, match=rf"{side} has 2 names, but the \w+ has 3 classes"):
        legatee.plan(source, target, **{side: ["ant", "bee"]})


def test_names_of_classes_that_no_layer_shows_are_refused():
    class Twins(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.one, self.two = nn.Linear(3, 5), nn.Linear(5, 2), nn.Linear(5, 4)

        def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.one(self.body(inputs)), self.two(self.body(inputs))

    with pytest.raises(
        LegateeError, match="class_names cannot be used: the target has no single output layer"
    ):
        legatee.plan(Twins(), Twins(), class_names=["ant", "bee"])


BOTH = {"class_names": PETS, "source_class_names": ANIMALS}
REFUSED = {
    "a misspelt name here": ({"cta": 3}, BOTH, r"unknown class of the target 'cta'.*cat"),
    "a misspelt name there": ({0: "dgo"}, BOTH, r"unknown class of the source 'dgo'.*dog"),
    "a name of two classes": ({0: "crane"}, BOTH, "classes 1 and 5 of the source; pass the number"),
    "a name without an order": (
        {0: "cat"},
        {},
        r"source's classes are not known.*'cat'.*pass source_class_names",
    ),
    "too few names": (
        {0: 0},
        {"class_names": PETS[:2]},
        "class_names has 2 names, but the target has 3 classes",
    ),
    "a class twice": ({"cat": 1, 0: 2}, BOTH, "target class 0 twice, as 'cat' and 0"),
    "a number too high": ({0: 6}, {}, "the source has classes 0 to 5, not 6"),
    "a number of known names": ({3: 0}, BOTH, r"classes 0 to 2 \(cat, dog, fish\), not 3"),
    "a number below": ({-1: 2}, {}, "the target has classes 0 to 2, not -1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_classes_that_cannot_be_told_are_refused(case):
    classes, names, expected = REFUSED[case]
    source, target = networks()
    before = {name: tensor.clone() for name, tensor in saved(target).items()}
    with pytest.raises(LegateeError, match=expected):
        legatee.plan(source, target, class_map=classes, **names)
    assert differing(before, saved(target)) == []


def test_classes_that_stay_at_home_all_the_same_are_named():
    with torch.device("meta"):
        source, target = models.resnet50(num_classes=6), models.resnet18(num_classes=3)
    plan = legatee.plan(source, target, class_map={0: 2, 2: 4})
    assert "fc.weight" in {rest.target for rest in plan.untouched}
    said = [warning for warning in plan.warnings if warning.startswith("no class is inherited")]
    assert said == [f"no class is inherited, though 2 correspond: {reason(plan)}"]
    assert not any("no class" in w for w in legatee.plan(source, target).warnings)


def reason(plan: legatee.TransferPlan) -> str:
    return next(rest.reason for rest in plan.untouched if rest.target == "fc.weight")
