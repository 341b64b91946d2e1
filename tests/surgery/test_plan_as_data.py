import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import legatee
from edited_plans import editable, with_options
from legatee.errors import TransferError
from legatee.plans.positions import compress, expand
from legatee.plans.receipt import Receipt
from surgery_references import positions
from surgery_zoo import cnn, densenet, small_resnet

PAIRS = {
    "cnn": (lambda: cnn("13-20"), lambda: cnn("6-20")),
    "resnet": (lambda: small_resnet(9), lambda: small_resnet(6, classes=2)),
    "densenet": (lambda: densenet(6, 12), lambda: densenet(4, 6)),
    "identity": (lambda: cnn("4-6"), lambda: cnn("4-6")),
}


@pytest.fixture(scope="module", params=PAIRS)
def plan(request) -> legatee.TransferPlan:
    source, target = PAIRS[request.param]
    return legatee.plan(source(), target(), alpha=0.7, rule="random", seed=3)


def test_a_plan_survives_json(plan):
    assert legatee.TransferPlan.from_json(plan.to_json()) == plan


def test_a_plan_survives_json_twice_to_the_letter(plan):
    text = plan.to_json()
    assert legatee.TransferPlan.from_json(text).to_json() == text


def test_a_plan_is_json_for_everybody(plan):
    document = json.loads(plan.to_json())
    assert document["options"]["alpha"] == 0.7


def test_equal_plans_have_equal_hashes_and_digests(plan):
    again = legatee.TransferPlan.from_json(plan.to_json())
    assert (hash(again), again.digest) == (hash(plan), plan.digest)


def test_a_digest_is_the_same_in_every_process(plan):
    program = (
        "import sys; from legatee.plans.plan import TransferPlan;"
        "print(TransferPlan.from_json(sys.stdin.read()).digest)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=plan.to_json(),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "77"},
    )
    assert done.stdout.strip() == plan.digest


@pytest.mark.parametrize(
    "other",
    [
        {"options": {"alpha": 0.6}},
        {"options": {"rule": "first"}},
        {"options": {"seed": 4}},
        {"target_digest": "x"},
        {"entries": ()},
        {"warnings": ("another",)},
    ],
    ids=str,
)
def test_plans_that_differ_are_not_equal(plan, other):
    other = other.copy()
    changed = with_options(plan, **other.pop("options", {})).model_copy(update=other)
    assert changed != plan
    assert changed.digest != plan.digest


@pytest.mark.parametrize("field", ["options", "entries", "source_digest", "warnings"])
def test_a_plan_cannot_be_changed(plan, field):
    with pytest.raises((ValidationError, AttributeError, TypeError)):
        setattr(plan, field, getattr(plan, field))


@pytest.mark.parametrize("field", ["take", "put", "source", "target_shape"])
def test_a_move_cannot_be_changed(plan, field):
    with pytest.raises((ValidationError, AttributeError, TypeError)):
        setattr(plan.moves[0], field, getattr(plan.moves[0], field))


def test_what_a_plan_holds_cannot_be_changed(plan):
    assert isinstance(plan.entries, tuple)
    assert all(isinstance(move.take, tuple) for move in plan.moves)


def test_a_receipt_cannot_be_changed():
    source, target = cnn("4-6"), cnn("3-4")
    receipt = legatee.inherit(legatee.plan(source, target), source, target)
    with pytest.raises((ValidationError, AttributeError, TypeError)):
        receipt.tensors = ()


def test_a_printed_plan_names_every_part_of_the_network(plan):
    lines = str(plan).splitlines()[1:]
    tops = [line.split()[0] for line in lines if not line.startswith(" ")]
    names = [entry.target.split(".")[0] for entry in plan.entries]
    assert tops == list(dict.fromkeys(names))


def test_a_printed_plan_folds_blocks_that_are_alike():
    text = str(legatee.plan(small_resnet(9, depth=14), small_resnet(6, depth=14)))
    assert len(text.splitlines()) < 8
    text = str(legatee.plan(small_resnet(9, depth=14), small_resnet(6, depth=14), alpha=0))
    assert len(text.splitlines()) < 8


def test_a_printed_plan_says_why_a_part_is_left():
    text = str(legatee.plan(small_resnet(9), small_resnet(6)))
    (line,) = [line for line in text.splitlines() if line.startswith("head")]
    assert "0%" in line
    assert "the same classes" in line


def test_a_printed_plan_begins_with_the_share(plan):
    assert f"{plan.inherited_fraction:.1%}" in str(plan).splitlines()[0]


def test_the_share_of_a_plan_is_the_share_of_its_receipt():
    source, target = small_resnet(9), small_resnet(6)
    plan = legatee.plan(source, target, alpha=0.4)
    assert legatee.inherit(plan, source, target).inherited_fraction == plan.inherited_fraction


def test_the_size_of_a_move_is_the_product_of_its_positions(plan):
    for move in plan.moves:
        size = 1
        for text in move.put:
            size *= len(positions(text))
        assert move.inherited_elements == size


def test_moves_and_untouched_are_all_entries(plan):
    assert {*plan.moves, *plan.untouched} == set(plan.entries)
    assert len(plan.moves) + len(plan.untouched) == len(plan.entries)


def test_no_move_reaches_outside_its_tensors(plan):
    for move in plan.moves:
        for texts, shape in ((move.take, move.source_shape), (move.put, move.target_shape)):
            assert len(texts) == len(shape)
            for text, length in zip(texts, shape, strict=True):
                assert set(positions(text)) <= set(range(length))


def test_no_element_is_written_twice(plan):
    names = [move.target for move in plan.moves]
    assert len(names) == len(set(names))
    for move in plan.moves:
        assert all(len(p) == len(set(p)) for p in map(positions, move.put))


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"alpha"', '"alpho"', "alpho"),
        ('"format":1', '"format":0', "format 0"),
        ('"alpha":0.7', '"alpha":"much"', "alpha"),
        ('"rule":"random"', '"rule":"random","extra":1', "extra"),
        ('"entries":[', '"entries":[7,', "entries"),
    ],
)
def test_text_that_is_no_plan_is_refused_by_its_first_bad_field(plan, old, new, named):
    compact = json.dumps(editable(plan), separators=(",", ":"))
    assert compact.count(old) >= 1
    with pytest.raises(TransferError, match=named):
        legatee.TransferPlan.from_json(compact.replace(old, new, 1))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"alpha": NaN}', "[" * 100_000])
def test_text_that_is_no_json_of_a_plan_is_refused(text):
    with pytest.raises(TransferError):
        legatee.TransferPlan.from_json(text)


def test_a_cut_plan_is_refused(plan):
    text = plan.to_json()
    with pytest.raises(TransferError):
        legatee.TransferPlan.from_json(text[: len(text) // 2])


def test_a_receipt_survives_json_as_data():
    source, target = cnn("4-6"), cnn("3-4")
    receipt = legatee.inherit(legatee.plan(source, target), source, target)
    again = Receipt.from_json(receipt.to_json())
    assert (again.tensors, again.inherited_fraction) == (
        receipt.tensors,
        receipt.inherited_fraction,
    )


def test_a_receipt_read_from_a_file_undoes_nothing():
    source, target = cnn("4-6"), cnn("3-4")
    receipt = legatee.inherit(legatee.plan(source, target), source, target)
    with pytest.raises(TransferError):
        Receipt.from_json(receipt.to_json()).undo()


# --- positions along an axis ----------------------------------------------------------------------


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(st.integers(0, 60), max_size=25))
def test_positions_survive_being_written(numbers):
    assert list(expand(compress(numbers))) == numbers


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 60), max_size=25))
def test_positions_are_written_as_python_slices(numbers):
    assert positions(compress(numbers)) == numbers


@pytest.mark.parametrize(
    "text", ["a", "1", "0:", ":3", "0:4:0", "0:4;5:6", "0:4:1:1", "-1:2", "1e3:2"]
)
def test_positions_of_another_form_are_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        expand(text)
