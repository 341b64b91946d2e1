import pytest
import torch
from torch.utils.data import Dataset, TensorDataset

from legatee.data.load import Examples, as_examples, batch, split, take
from legatee.errors import DataError


def examples(**changes) -> Examples:
    given = {
        "inputs": torch.arange(24.0).reshape(6, 2, 2),
        "labels": torch.tensor([0, 1, 0, 1, 0, 1]),
        "classes": ("cat", "dog"),
        "name": "pets",
    }
    return Examples(**given | changes)


def test_examples_know_their_number_and_shape():
    assert (len(examples()), examples().shape) == (6, (2, 2))


NAN = torch.zeros(6, 3)
NAN[4, 1], NAN[5, 2] = torch.nan, -torch.inf


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"inputs": torch.zeros(0, 2), "labels": torch.zeros(0).long()}, "no examples"),
        ({"inputs": torch.zeros(6, 0)}, "no examples"),
        ({"inputs": NAN}, "2 examples hold NaN or infinite inputs, the first is example 4"),
        ({"labels": torch.tensor([0, 1, 0, 2, 0, 3])}, "label 2 of example 3 is outside 0..1"),
        ({"labels": torch.tensor([0, 1, -1, 1, 0, 1])}, "label -1 of example 2 is outside 0..1"),
        (
            {"classes": ("cat",), "labels": torch.zeros(6).long()},
            "1 class; give at least two, or there is nothing to learn",
        ),
        (
            {"classes": tuple("abcdefg")},
            "6 examples of 7 classes; give at least one for each class",
        ),
        (
            {"labels": torch.tensor([0, 1])},
            "6 inputs but 2 labels; give one label for each input",
        ),
        (
            {"inputs": torch.zeros(6, 2).double()},
            "inputs are torch.float64; give float32, or uint8 images",
        ),
        (
            {"labels": torch.zeros(6)},
            "labels are torch.float32 (6,); give int64 of one axis",
        ),
        (
            {"inputs": torch.zeros(6, 4, 4, dtype=torch.uint8)},
            "inputs have shape (6, 4, 4); give [n, ...], images [n, c, h, w]",
        ),
    ],
)
def test_examples_that_cannot_be_learned_from_are_refused(changes, sentence):
    with pytest.raises(DataError) as refused:
        examples(**changes)
    assert str(refused.value) == f"'pets': {sentence}"


def test_batch_turns_images_into_fractions_and_leaves_floats_alone():
    images = torch.tensor([0, 51, 255, 102], dtype=torch.uint8).reshape(4, 1, 1, 1)
    data = examples(inputs=images, labels=torch.tensor([0, 1, 0, 1]))
    x, y = batch(data, torch.tensor([3, 1]))
    assert x.flatten().tolist() == pytest.approx([0.4, 0.2])
    assert x.dtype == torch.float32
    assert y.tolist() == [1, 1]
    assert data.inputs.dtype == torch.uint8
    assert torch.equal(batch(examples(), torch.tensor([2]))[0], torch.arange(8.0, 12).view(1, 2, 2))


def test_take_keeps_the_order_asked_for():
    taken = take(examples(), [5, 0, 0])
    assert taken.inputs[:, 0, 0].tolist() == [20, 0, 0]
    assert taken.targets.tolist() == [1, 0, 0]


def unequal_classes() -> Examples:
    labels = torch.tensor([0] * 50 + [1] * 21 + [2] * 3)
    return Examples(
        inputs=torch.arange(74.0).unsqueeze(1), targets=labels, class_names=tuple("abc"), name="u"
    )


def test_split_divides_every_class_by_the_share_held_out():
    data = unequal_classes()
    train, held_out = split(data, 0.3, seed=4)
    assert torch.bincount(held_out.targets).tolist() == [15, 6, 1]  # 0.3 of 50, 21 and 3, rounded
    both = torch.cat([train.inputs, held_out.inputs]).flatten()
    assert torch.equal(both.sort().values, data.inputs.flatten())
    for part in (train, held_out):
        assert torch.equal(data.targets[part.inputs.flatten().long()], part.targets)


def test_split_follows_its_seed_alone():
    torch.manual_seed(1)
    first = split(unequal_classes(), 0.3, seed=4)[1].inputs
    torch.manual_seed(2)
    assert torch.equal(split(unequal_classes(), 0.3, seed=4)[1].inputs, first)
    assert not torch.equal(split(unequal_classes(), 0.3, seed=5)[1].inputs, first)


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_split_leaves_every_class_on_both_sides(share):
    for part in split(unequal_classes(), share, seed=0):
        assert set(part.targets.tolist()) == {0, 1, 2}


def test_split_refuses_a_class_of_one_and_a_share_that_is_none():
    lonely = examples(labels=torch.tensor([0, 1, 0, 0, 0, 0]))
    with pytest.raises(DataError, match=r"'pets': class 'dog' has 1 examples; a split needs two"):
        split(lonely, 0.5, seed=0)
    with pytest.raises(DataError, match="cannot hold out a share of 1; give one between 0 and"):
        split(examples(), 1.0, seed=0)


class Pairs(Dataset):
    def __init__(self, *pairs):
        self.pairs = pairs

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        return self.pairs[i]


def test_a_dataset_becomes_examples():
    data = as_examples(TensorDataset(torch.eye(4).double(), torch.tensor([0, 2, 1, 2])))
    assert data.inputs.dtype == torch.float32
    assert torch.equal(data.inputs, torch.eye(4))
    assert data.targets.tolist() == [0, 2, 1, 2]
    assert (data.class_names, data.name) == (("0", "1", "2"), "TensorDataset")


def test_a_dataset_brings_its_class_names_and_its_images_stay_bytes():
    image = torch.full((3, 4, 4), 7, dtype=torch.uint8)
    dataset = Pairs((image, 0), (image, 1))
    dataset.class_names = ["cat", "dog"]
    data = as_examples(dataset, name="mine")
    assert (data.inputs.dtype, data.class_names, data.name) == (torch.uint8, ("cat", "dog"), "mine")


def test_examples_pass_through():
    data = examples()
    assert as_examples(data) is data
    assert as_examples(data, name="new").name == "new"


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        ([], "'Pairs': no examples"),
        ([(torch.zeros(2), 0), 3], "'Pairs': item 1 is not a pair of a tensor and a class: cannot"),
        ([("cat.png", 0)], "'Pairs': item 0 is not a pair of a tensor and a class: "),
        (
            [(torch.zeros(2), 0), (torch.zeros(3), 1)],
            r"'Pairs': input 1 has shape \(3,\), the first \(2,\); give all one shape",
        ),
    ],
)
def test_a_dataset_of_something_else_is_refused(pairs, sentence):
    with pytest.raises(DataError, match=sentence):
        as_examples(Pairs(*pairs))
