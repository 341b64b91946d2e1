import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from legatee.data.datasets import split, take
from legatee.data.examples import Examples, batch
from legatee.errors import DataError


def examples(**changes) -> Examples:
    given = {
        "inputs": torch.arange(24.0).reshape(6, 2, 2),
        "targets": torch.tensor([0, 1, 0, 1, 0, 1]),
        "class_names": ("cat", "dog"),
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
        (
            {"targets": torch.zeros(6)},
            "targets are numbers, but class_names are given; expected class_names=None",
        ),
        (
            {"targets": torch.tensor([0, 1, torch.nan, 1, 0, torch.inf]), "class_names": None},
            "2 targets are NaN or infinite, the first is example 2",
        ),
        (
            {"targets": torch.tensor([[[0, 5]], [[0, 1]]] * 3)},
            "label 5 of example 0 is outside 0..1",
        ),
        ({"inputs": torch.zeros(0, 2), "targets": torch.zeros(0).long()}, "there are no examples"),
        ({"inputs": torch.zeros(6, 0)}, "there are no examples"),
        ({"inputs": NAN}, "2 examples hold NaN or infinite inputs, the first is example 4"),
        ({"targets": torch.tensor([0, 1, 0, 2, 0, 3])}, "label 2 of example 3 is outside 0..1"),
        ({"targets": torch.tensor([0, 1, -1, 1, 0, 1])}, "label -1 of example 2 is outside 0..1"),
        (
            {"class_names": ("cat",), "targets": torch.zeros(6).long()},
            "1 class; expected at least two, or there is nothing to learn",
        ),
        (
            {"class_names": tuple("abcdefg")},
            "6 examples of 7 classes; expected at least one for each class",
        ),
        (
            {"targets": torch.tensor([0, 1])},
            "6 inputs but 2 targets; expected one target for each input",
        ),
        (
            {"inputs": torch.zeros(6, 2).double()},
            "inputs are torch.float64; expected float32, or uint8 images",
        ),
        (
            {"targets": torch.zeros(6).double()},
            "targets are torch.float64 of shape (6,); expected classes (int64 [n]), numbers "
            "(float32 [n] or [n, k]) or masks (int64 [n, h, w])",
        ),
        (
            {"inputs": torch.zeros(6, 4, 4, dtype=torch.uint8)},
            "inputs have shape (6, 4, 4); expected [n, ...], images [n, c, h, w]",
        ),
    ],
)
def test_examples_that_cannot_be_learned_from_are_refused(changes, sentence):
    with pytest.raises(DataError) as refused:
        examples(**changes)
    assert str(refused.value) == f"'pets': {sentence}"


def test_batch_turns_images_into_fractions_and_leaves_floats_alone():
    images = torch.tensor([0, 51, 255, 102], dtype=torch.uint8).reshape(4, 1, 1, 1)
    data = examples(inputs=images, targets=torch.tensor([0, 1, 0, 1]))
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
    lonely = examples(targets=torch.tensor([0, 1, 0, 0, 0, 0]))
    with pytest.raises(DataError, match=r"'pets': class 'dog' has 1 examples; a split needs two"):
        split(lonely, 0.5, seed=0)
    with pytest.raises(DataError, match="cannot hold out a fraction of 1; expected one between"):
        split(examples(), 1.0, seed=0)


def test_examples_are_a_dataset_of_pairs_that_a_data_loader_reads():
    data = examples(inputs=torch.full((6, 1, 2, 2), 51, dtype=torch.uint8))
    assert isinstance(data, Dataset)
    inputs, targets = next(iter(DataLoader(data, batch_size=4)))
    assert (inputs.dtype, tuple(inputs.shape)) == (torch.float32, (4, 1, 2, 2))
    assert inputs.unique().tolist() == pytest.approx([0.2])
    assert targets.tolist() == [0, 1, 0, 1]
    assert [int(target) for _, target in data] == [0, 1, 0, 1, 0, 1]  # ends by itself
    with pytest.raises(IndexError, match="example 6 of 6"):
        data[6]


def test_the_task_follows_from_the_targets():
    masks = torch.zeros(6, 4, 4, dtype=torch.int64)
    assert examples().task == "classification"
    assert examples(targets=masks).task == "segmentation"
    assert examples(targets=torch.rand(6, 2), class_names=None).task == "regression"


def test_counts_name_every_class_and_a_repr_is_one_line():
    data = examples(targets=torch.tensor([0, 0, 0, 0, 0, 1]))
    assert data.counts() == {"cat": 5, "dog": 1}
    assert repr(data) == "<Examples 'pets': 6 inputs of shape 2x2; 5 of 'cat', 1 of 'dog'>"
    numbers = examples(targets=torch.rand(6), class_names=None)
    assert numbers.counts() == {}
    assert repr(numbers) == "<Examples 'pets': 6 inputs of shape 2x2, numbers as targets>"


@pytest.mark.parametrize(("count", "end"), [(10, "1 of 'class 9'>"), (11, ", and 1 more classes>")])
def test_a_repr_names_ten_classes_and_counts_the_others(count, end):
    names = tuple(f"class {i}" for i in range(count))
    inputs, targets = torch.zeros(count, 2), torch.arange(count)
    text = repr(examples(inputs=inputs, targets=targets, class_names=names))
    assert text.count(" of 'class") == 10
    assert text.endswith(end)
