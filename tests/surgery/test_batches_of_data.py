"""Data of the downstream task in batches: what is cut, what is read, and what is refused."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from legatee.errors import TransferError
from legatee.surgery.planning.batches import Batch, batches

INPUTS = torch.arange(130.0).reshape(130, 1)
LABELS = torch.arange(130) % 3


def read(data, labelled=False):
    return list(batches(data, labelled=labelled))


def test_a_part_holds_the_examples_from_the_first_to_the_one_before_the_last():
    batch = Batch(inputs=INPUTS[:9], labels=LABELS[:9])
    part = batch.part(2, 5)
    assert part.inputs.flatten().tolist() == [2, 3, 4]
    assert part.labels.tolist() == [2, 0, 1]
    assert (batch.size, part.size, batch.part(7, 99).size) == (9, 3, 2)


def test_a_part_of_a_batch_without_labels_has_none():
    assert Batch(inputs=INPUTS).part(0, 2).labels is None


def test_only_what_has_a_row_for_each_example_is_cut():
    table, number = torch.eye(4), torch.tensor(7.0)
    batch = Batch(inputs={"x": INPUTS[:6], "table": table, "number": number, "flag": True})
    part = batch.part(1, 3).inputs
    assert part["x"].flatten().tolist() == [1, 2]
    assert torch.equal(part["table"], table)
    assert (part["number"], part["flag"]) == (number, True)


@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        (INPUTS, [64, 64, 2]),
        ((INPUTS,), [64, 64, 2]),
        ((INPUTS, LABELS), [64, 64, 2]),
        ({"x": INPUTS, "labels": LABELS}, [64, 64, 2]),
        (TensorDataset(INPUTS, LABELS), [64, 64, 2]),
        (DataLoader(TensorDataset(INPUTS), batch_size=100), [100, 30]),
    ],
    ids=["tensor", "inputs", "pair", "dictionary", "data set", "loader"],
)
def test_batches_are_of_64_examples_or_as_a_loader_has_them(data, sizes):
    found = read(data)
    assert [batch.size for batch in found] == sizes
    leaves = [b.inputs["x"] if isinstance(b.inputs, dict) else b.inputs for b in found]
    assert torch.equal(torch.cat(leaves), INPUTS)


def test_labels_of_a_dictionary_are_not_among_its_inputs():
    (batch,) = read({"x": INPUTS[:5], "mask": INPUTS[5:10], "labels": LABELS[:5]}, labelled=True)
    assert set(batch.inputs) == {"x", "mask"}
    assert torch.equal(batch.labels, LABELS[:5])
    (without,) = read({"x": INPUTS[:5]})
    assert without.labels is None


def test_a_list_of_inputs_becomes_the_arguments_of_the_network():
    (batch,) = read(([INPUTS[:4], INPUTS[4:8]], LABELS[:4]), labelled=True)
    assert isinstance(batch.inputs, tuple)
    assert [len(one) for one in batch.inputs] == [4, 4]


def test_whole_numbers_of_any_type_and_lists_of_them_are_labels():
    for labels in (LABELS[:5], LABELS[:5].to(torch.uint8), LABELS[:5].bool(), [0, 1, 2, 0, 1]):
        (batch,) = read((INPUTS[:5], labels), labelled=True)
        assert batch.labels.tolist() == torch.as_tensor(labels).tolist()


X = INPUTS[:4]
REFUSED = {
    "no data": (7, False, "data is a int; expected a tensor"),
    "nothing": ((), False, "data has 0 parts; expected a tensor"),
    "three parts": ((X, X, X), False, "data has 3 parts; expected a tensor"),
    "no tensor": (("cat", LABELS[:4]), False, "inputs of type str; expected a tensor"),
    "a single number": (torch.tensor(3.0), False, "inputs of type Tensor; expected a tensor"),
    "labels of text": ((X, ["a", "b", "c", "d"]), False, "labels of type list; expected a tensor"),
    "missing": (X, True, r"data has no labels; pass data=\(inputs, labels\)"),
    "too few": ((X, LABELS[:3]), False, "data has 4 inputs but 3 labels; give each one label"),
    "too many": ((X, LABELS[:5]), True, "data has 4 inputs but 5 labels; give each one label"),
    "one for all": ((X, torch.tensor(1)), True, "data has 4 inputs but 1 labels"),
    "fractions": ((X, torch.zeros(4)), True, r"shape \(4,\) and type float32; expected one class"),
    "complex": ((X, torch.zeros(4, dtype=torch.complex64)), True, "type complex64; expected one"),
    "rows": ((X, torch.zeros(4, 2, dtype=torch.int64)), True, r"shape \(4, 2\) and type int64"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_data_is_refused(case):
    data, labelled, words = REFUSED[case]
    with pytest.raises(TransferError, match=words):
        read(data, labelled=labelled)


def test_labels_that_nobody_needs_may_be_anything_that_has_a_row_for_each_input():
    for labels in (torch.zeros(4), torch.zeros(4, 2)):
        (batch,) = read((X, labels))
        assert torch.equal(batch.labels, labels)
