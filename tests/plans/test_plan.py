import json
import time

import pytest
from pydantic import ValidationError

from edited_plans import editable
from legatee.errors import TransferError
from legatee.plans.options import PlanOptions
from legatee.plans.plan import Blend, Move, TransferPlan, Untouched
from legatee.plans.receipt import account


def a_plan(**changes):
    move = Move(
        source="a.weight",
        target="b.weight",
        source_shape=(8, 3),
        target_shape=(4, 3),
        take=("0:8:4", "0:3"),
        put=("0:2", "0:3"),
    )
    other = Move(
        **(dict(move) | {"source": "c.weight", "put": ("3:4", "0:3"), "take": ("5:6", "0:3")})
    )
    rest = Untouched(target="b.bias", shape=(4,), reason="no source tensor of that name")
    options = PlanOptions(**({"alpha": 0.5, "rule": "first", "seed": 3} | changes))
    return TransferPlan(
        source_digest="s", target_digest="t", options=options, entries=(move, rest, other)
    )


def test_a_plan_counts_a_tensor_once_however_many_moves_fill_it():
    plan = a_plan()
    assert plan.elements == 4 * 3 + 4
    assert plan.inherited_fraction == (2 * 3 + 1 * 3) / 16
    assert [(a.target, a.sources, a.inherited_elements, a.untouched) for a in account(plan)] == [
        ("b.weight", ("a.weight", "c.weight"), 9, 3),
        ("b.bias", (), 0, 4),
    ]


def test_a_plan_is_the_same_after_a_trip_through_json():
    plan = a_plan()
    again = TransferPlan.from_json(plan.to_json())
    assert again == plan
    assert again.digest == plan.digest
    assert again != a_plan(alpha=0.25)
    assert again.digest != a_plan(alpha=0.25).digest


def test_a_plan_cannot_be_changed():
    with pytest.raises(ValidationError):
        a_plan().warnings = ()


def edited(old: str, new: str) -> str:
    text = json.dumps(editable(a_plan()))
    assert text.count(old) == 1
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a transfer plan"),
        ("{}", "format None"),
        (edited('"seed": 3', '"seed": "x"'), r"options\.seed"),
        (edited('"seed": 3', '"seed": 3, "sed": 3'), r"options\.sed\b"),
        (edited('"format": 1', '"format": 0'), "format 0"),
        (edited('"source_digest": "s", ', ""), "source_digest"),
    ],
)
def test_what_is_no_plan_is_refused_and_the_field_named(text, words):
    with pytest.raises(TransferError, match=words):
        TransferPlan.from_json(text)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("take", ("0:8:4",), "take, put and shapes of different lengths"),
        ("put", ("0:3", "0:3"), "one position for each"),
        ("put", ("0:1,0:1", "0:3"), "one position for each"),
        ("put", ("3:5", "0:3"), "outside the tensors' shapes"),
        ("take", ("7:9", "0:3"), "outside the tensors' shapes"),
        ("take", ("-2:0", "0:3"), "not runs"),
    ],
)
def test_a_move_that_does_not_fit_its_tensors_cannot_be_made(field, value, words):
    with pytest.raises(ValidationError, match=words):
        Move(**(dict(a_plan().moves[0]) | {field: value}))


def test_a_printed_plan_names_every_tensor_and_why_one_is_left():
    printed = str(a_plan())
    rows = [line.split(maxsplit=2) for line in printed.splitlines()[2:]]
    assert ["weight", "75%", "<- a.weight and c.weight"] in rows
    assert ["bias", "0%", "no source tensor of that name"] in rows
    assert printed.startswith("56.2% of 16 elements inherited")


def test_options_that_hold_mappings_have_a_hash_and_so_has_their_plan():
    plans = [a_plan(match={"a": "b"}, class_map={0: 3}, rule={"a": [1]}) for _ in range(2)]
    assert len({*plans}) == len({plan.options for plan in plans}) == 1
    assert a_plan(match={"a": "c"}) not in plans


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["0:2", "1:3"], "two moves write the same elements of 'b.weight'"),
        (["0:2", "2:4"], None),
    ],
)
def test_moves_into_one_tensor_must_not_overlap(rows, message):
    first = a_plan().moves[0]
    entries = [first.model_copy(update={"put": (text, "0:3")}) for text in rows]
    if message is None:
        assert a_plan_of(entries).inherited_fraction == 1
    else:
        with pytest.raises(ValidationError, match=message):
            a_plan_of(entries)


def test_moves_into_one_tensor_must_agree_on_its_shape():
    first = a_plan().moves[0]
    other = first.model_copy(update={"put": ("2:4", "0:3"), "target_shape": (5, 3)})
    with pytest.raises(ValidationError, match=r"entries of 'b\.weight' contradict"):
        a_plan_of([first, other])


def test_a_printed_plan_says_how_values_are_computed():
    resized = Move(
        source="pos",
        target="pos",
        source_shape=(4,),
        target_shape=(9,),
        take=("0:4",),
        put=("0:9",),
        blend=Blend(axis=0, how="bicubic"),
    )
    assert str(a_plan_of([resized])).splitlines()[1].split() == [
        *("pos", "100%", "<-", "same", "name,", "bicubic")
    ]


def test_a_tensor_is_not_both_inherited_and_untouched():
    rest = Untouched(target="b.weight", shape=(4, 3), reason="why")
    with pytest.raises(ValidationError, match=r"entries of 'b\.weight' contradict each other"):
        a_plan_of([a_plan().moves[0], rest])


def a_plan_of(entries) -> TransferPlan:
    return TransferPlan(source_digest="s", target_digest="t", entries=tuple(entries))


@pytest.mark.parametrize("depth", [100, 400, 900, 5000, 100_000])
def test_deeply_nested_text_is_refused_in_a_sentence(depth):
    document = editable(a_plan())
    document["warnings"] = "BOMB"
    text = json.dumps(document).replace('"BOMB"', "[" * depth + "]" * depth)
    with pytest.raises(TransferError, match="this is not a transfer plan"):
        TransferPlan.from_json(text)


def test_a_plan_of_thousands_of_moves_into_one_tensor_is_read_at_once():
    document = editable(a_plan())
    move = document["entries"][0] | {
        "source_shape": [4000, 3],
        "target_shape": [4000, 3],
        "take": ["0:1", "0:3"],
    }
    document["entries"] = [move | {"put": [f"{n}:{n + 1}", "0:3"]} for n in range(3000)]
    text = json.dumps(document)
    start = time.process_time()
    assert len(TransferPlan.from_json(text).moves) == 3000
    assert time.process_time() - start < 1
