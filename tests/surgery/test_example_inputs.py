"""Example inputs of one tensor, of several arguments by position, or by name."""

import pytest
import torch
from torch import Tensor, nn

import legatee
from legatee.errors import TraceError, TransferError
from legatee.surgery.network.catalog import read
from surgery_references import spread


class TwoInputs(nn.Module):
    """Adds what two layers make of two inputs, if asked to."""

    def __init__(self, width: int):
        super().__init__()
        self.image, self.text = nn.Conv2d(3, width, 3), nn.Linear(5, width)
        self.head = nn.Linear(width, 2)

    def forward(self, image: Tensor, text: Tensor, *, joined: bool = True) -> Tensor:
        """Return one score for each class [b, 2]."""
        seen = self.image(image).amax((2, 3))
        return self.head(seen + self.text(text) if joined else seen)


IMAGE, TEXT = torch.randn(3, 3, 8, 8), torch.randn(3, 5)


def rows(plan: legatee.TransferPlan) -> dict[str, str]:
    return {move.target: move.take[0] for move in plan.moves}


@pytest.mark.parametrize(
    "example_inputs",
    [
        (IMAGE, TEXT),
        [IMAGE, TEXT],
        {"image": IMAGE, "text": TEXT},
        {"image": IMAGE, "text": TEXT, "joined": True},
    ],
    ids=["tuple", "list", "dict", "dict with a flag"],
)
def test_several_inputs_are_traced_together(example_inputs):
    plan = legatee.plan(TwoInputs(9), TwoInputs(4), example_inputs=example_inputs)
    assert spread(9, 4) == [0, 3, 5, 8]
    assert rows(plan)["image.weight"] == rows(plan)["text.weight"] == "0:1,3:4,5:6,8:9"
    coupled = [g for g in read(TwoInputs(4), example_inputs).groups if g.role == "hidden"]
    assert len(coupled) == 1
    assert {name for name, _ in coupled[0].members} >= {"image.weight", "text.weight"}


def test_an_argument_that_is_no_tensor_reaches_the_network():
    apart = read(TwoInputs(4), {"image": IMAGE, "text": TEXT, "joined": False})
    (group,) = [g for g in apart.groups if ("image.weight", 0) in g.members]
    assert ("text.weight", 0) not in group.members


def test_a_flag_makes_another_trace_of_the_same_network():
    nets = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten()), nn.Sequential(nn.Conv2d(3, 8, 3))
    for net in nets:
        assert read(net, IMAGE) is read(net, (IMAGE[:1],))
        assert read(net, IMAGE) is not read(net, IMAGE[:, :, :5])


def test_both_inputs_are_inputs():
    groups = [g for g in read(TwoInputs(4), (IMAGE, TEXT)).groups if g.role == "input"]
    assert sorted(g.size for g in groups) == [3, 5]


def test_only_shapes_of_example_inputs_matter_and_they_are_not_changed():
    before = IMAGE.clone()
    plan = legatee.plan(TwoInputs(9), TwoInputs(4), example_inputs=(IMAGE, TEXT))
    blank = (torch.full_like(IMAGE, torch.nan), TEXT.to("meta"))
    assert legatee.plan(TwoInputs(9), TwoInputs(4), example_inputs=blank) == plan
    assert torch.equal(IMAGE, before)


def test_inputs_of_another_precision_are_traced():
    plan = legatee.plan(TwoInputs(9), TwoInputs(4), example_inputs=(IMAGE.double(), TEXT.half()))
    assert rows(plan)["text.weight"] == "0:1,3:4,5:6,8:9"


@pytest.mark.parametrize("example_inputs", ["image", 7, (), {}, {"image": 3}], ids=repr)
def test_example_inputs_without_a_tensor_are_refused(example_inputs):
    with pytest.raises(TransferError, match=r"example_inputs is a .* without a tensor; expected"):
        legatee.plan(TwoInputs(4), TwoInputs(4), example_inputs=example_inputs)


def test_inputs_that_do_not_fit_are_named_by_their_shapes():
    with pytest.raises(TraceError, match=r"inputs of shapes \(3, 3, 8, 8\), \(3, 4\)"):
        legatee.catalog(TwoInputs(4), (IMAGE, TEXT[:, :4]))
