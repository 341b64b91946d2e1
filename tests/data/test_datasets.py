import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_sample_images
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from legatee.data.datasets import (
    as_dataset,
    chance_level,
    class_names_of,
    counts_of,
    fingerprint_of,
    inputs_of,
    name_of,
    split,
    take,
    targets_of,
    task_of,
)
from legatee.data.examples import Examples
from legatee.data.load import load_data
from legatee.data.overlap import overlap
from legatee.errors import DataError


class Pairs(Dataset):
    """A dataset of a user's own that counts how often it is asked."""

    def __init__(self, pairs, **attributes):
        self.pairs, self.asked = pairs, 0
        vars(self).update(attributes)

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        self.asked += 1
        return self.pairs[index]


class Noisy(Dataset):
    """Random augmentation: another input each time."""

    targets = (0, 1, 1, 0)

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.rand(3), self.targets[index]


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(torch.zeros(2), 0)])


def test_a_dataset_of_the_users_passes_through_untouched():
    for data in (Noisy(), Pairs([(torch.zeros(2), 0)]), load_data("digits:n=20")):
        assert as_dataset(data, "train") is data


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            "digits:n=9",
            r"^train is the text 'digits:n=9'; pass train as a torch Dataset of "
            r"\(input, target\) pairs, such as legatee.load_data\('digits:n=9'\)$",
        ),
        (
            DataLoader(TensorDataset(torch.zeros(2, 2), torch.zeros(2))),
            r"^train is a DataLoader; pass its dataset, train.dataset$",
        ),
        (Stream(), "^train is a Stream that has no items by index; pass train as a torch Dataset"),
        ([(torch.zeros(2), 0)], "^train is a list; pass train as a torch Dataset"),
        (None, "^train is a NoneType that has no items by index"),
        (Pairs([]), "^train has no examples"),
        (Pairs([3]), "'Pairs': item 0 is not a pair of an input tensor and a target: "),
        (Pairs([("cat.png", 0)]), "'Pairs': item 0 is not a pair of an input tensor and a target"),
    ],
)
def test_what_is_no_dataset_is_refused_with_what_to_pass(given, sentence):
    with pytest.raises(DataError, match=sentence):
        as_dataset(given, "train")


def test_targets_are_read_from_the_attribute_or_from_the_items():
    data = Pairs([(torch.zeros(2), k) for k in (2, 0, 1)])
    assert targets_of(data).tolist() == [2, 0, 1]
    assert data.asked == 3
    named = Pairs([(torch.zeros(2), 9)] * 3, targets=[0, 1, 1])
    assert targets_of(named).tolist() == [0, 1, 1]
    assert targets_of(Subset(named, [2, 0])).tolist() == [1, 0]
    assert named.asked == 0
    with pytest.raises(DataError, match="'Pairs': the targets are not classes, numbers or masks"):
        targets_of(Pairs([(torch.zeros(2), "cat")]))


def test_tasks_names_and_counts_of_any_dataset():
    numbers = TensorDataset(torch.zeros(3, 2), torch.tensor([0.5, 1.5, 2.5]))
    masks = TensorDataset(torch.zeros(2, 1, 4, 4), torch.zeros(2, 4, 4, dtype=torch.int64))
    pets = Pairs([(torch.zeros(2), k) for k in (0, 1, 1)], classes=["cat", "dog"])
    assert [task_of(d) for d in (numbers, masks, pets)] == [
        "regression",
        "segmentation",
        "classification",
    ]
    assert class_names_of(numbers) is None
    assert class_names_of(Subset(pets, [0])) == ("cat", "dog")
    assert class_names_of(TensorDataset(torch.zeros(2, 2), torch.tensor([0, 3]))) == tuple("0123")
    assert counts_of(pets) == {"cat": 1, "dog": 2}
    assert counts_of(numbers) == {}
    assert (name_of(pets), name_of(load_data("digits:n=20"))) == ("Pairs", "digits:n=20")
    assert chance_level(pets) == pytest.approx(2 / 3)
    assert chance_level(numbers) is None


def test_a_split_of_a_users_dataset_is_of_subsets_with_every_class_on_both_sides():
    data = Pairs([(torch.full((1,), float(i)), i % 2) for i in range(20)])
    train, held_out = split(data, 0.3, seed=1)
    assert isinstance(train, Subset)
    assert sorted([*train.indices, *held_out.indices]) == list(range(20))
    assert targets_of(held_out).bincount().tolist() == [3, 3]
    numbers = TensorDataset(torch.zeros(10, 2), torch.rand(10))
    assert [len(part) for part in split(numbers, 0.3, seed=0)] == [7, 3]


def test_taken_examples_keep_their_order():
    taken = take(Pairs([(torch.zeros(1), k) for k in range(4)]), [3, 0])
    assert [target for _, target in taken] == [3, 0]


def test_inputs_of_different_shapes_are_refused():
    with pytest.raises(DataError, match=r"input 1 has shape \(3,\), the first has \(2,\)"):
        inputs_of(Pairs([(torch.zeros(2), 0), (torch.zeros(3), 1)]))


def test_fingerprints_tell_content_and_nothing_else():
    inputs, targets = torch.rand(6, 3), torch.tensor([0, 1, 0, 1, 0, 1])
    names = ("a", "b")

    def examples(**changes):
        given = {"inputs": inputs, "targets": targets, "class_names": names, "name": "n"}
        return Examples(**given | changes)

    first = fingerprint_of(examples())
    assert fingerprint_of(examples(inputs=inputs.clone(), name="other")) == first
    assert fingerprint_of(TensorDataset(inputs, targets)) == first
    assert fingerprint_of(examples(targets=1 - targets)) != first
    changed = inputs.clone()
    changed[5, 2] += 1e-6
    assert fingerprint_of(examples(inputs=changed)) != first
    assert fingerprint_of(TensorDataset(changed, targets)) != first


def test_random_augmentation_is_recognised_and_does_not_change_the_fingerprint():
    assert fingerprint_of(Noisy()) == fingerprint_of(Noisy())
    other = Noisy()
    other.targets = (1, 1, 1, 0)
    assert fingerprint_of(other) != fingerprint_of(Noisy())


def images(count, size=None, start=0):
    """Real digits [count, 1, 8, 8], or resized."""
    found = torch.from_numpy(load_digits().images[start : start + count] / 16).float()[:, None]
    if size is not None:
        found = interpolate(found, (size, size), mode="bilinear", antialias=True)
    return TensorDataset(found, torch.arange(count) % 2)


def test_equal_inputs_are_found_by_content():
    held_out = TensorDataset(
        torch.cat([images(1, start=50)[:][0], images(3)[:][0]]), torch.tensor([0, 1, 0, 1])
    )
    assert overlap(images(20), held_out) == [(1, 0), (2, 1), (3, 2)]
    assert overlap(images(20), images(20, start=20)) == []


def photos(begin, end, size):
    """Parts of two real photographs, at some size."""
    china, flower = (
        torch.from_numpy(i.copy()).permute(2, 0, 1) for i in load_sample_images().images
    )
    places = [(y, x) for y in range(0, 400, 100) for x in range(0, 600, 100)]
    parts = [image[:, y : y + 100, x : x + 100] for image in (china, flower) for y, x in places]
    stacked = torch.stack(parts[begin:end]).float() / 255
    resized = interpolate(stacked, (size, size), mode="bilinear", antialias=True)
    return TensorDataset(resized, torch.arange(len(resized)) % 2)


@pytest.mark.parametrize("size", [32, 48, 96, 224])
def test_training_photographs_at_another_size_are_found(size):
    assert overlap(photos(0, 48, 64), photos(10, 30, size)) == [(i, i + 10) for i in range(20)]


def test_different_images_at_another_size_are_not_taken_for_each_other():
    real = load_digits().images
    assert np.unique(real[:1200].reshape(1200, -1), axis=0).shape[0] == 1200
    assert overlap(images(600), images(600, 24, start=600)) == []
    assert overlap(photos(0, 24, 64), photos(24, 48, 96)) == []


def test_flat_images_are_no_copies_of_each_other():
    flat = TensorDataset(torch.zeros(4, 1, 8, 8), torch.tensor([0, 1, 0, 1]))
    larger = TensorDataset(torch.ones(4, 1, 16, 16), torch.tensor([0, 1, 0, 1]))
    assert overlap(flat, larger) == []
