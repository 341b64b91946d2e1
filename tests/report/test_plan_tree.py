from typing import get_args

import pytest
from report_cases import move, resnet_plan

from legatee.plans.plan import Blend, Move, Untouched
from legatee.report.plan_tree import WAYS, picture


def flat(parts):
    for part in parts:
        yield part
        yield from flat(part.parts)


def test_every_element_of_the_network_is_in_the_picture():
    plan = resnet_plan()
    parts = picture(plan)
    assert sum(part.elements for part in parts) == plan.elements
    assert sum(part.inherited_elements for part in parts) == sum(
        m.inherited_elements for m in plan.moves
    )
    tensors = [part for part in flat(parts) if part.shape is not None]
    names = {m.target for m in plan.moves} | {u.target for u in plan.untouched}
    assert [part.path for part in tensors if part.path in names] == [p.path for p in tensors]
    assert len(tensors) == len(names)


def test_the_network_reads_in_order_and_norms_are_folded():
    parts = picture(resnet_plan())
    assert [p.name for p in parts] == [
        *("conv1.weight", "bn1", "layer1.0", "layer2.0", "layer3.0", "fc")
    ]
    norm = parts[1]
    assert [p.name for p in norm.parts] == [
        *("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    ]
    assert not norm.unfolded
    assert parts[2].unfolded


def test_where_it_comes_from_or_why_not():
    parts = picture(resnet_plan())
    assert parts[0].origin == "from stem.conv.weight"
    assert parts[1].origin == "same name"
    assert parts[2].origin == "same name"
    assert parts[5].origin == "the head: other classes"
    assert parts[5].filled == 0


def test_a_tall_network_starts_folded():
    box = ("0:2",)
    moves = tuple(
        move(f"stage{s}.{n}.{t}", f"old{s}.{n}.{t}", (4,), box)
        for s in (1, 2)
        for n in range(15)
        for t in ("weight", "bias")
    )
    parts = picture(resnet_plan().model_copy(update={"entries": moves}))
    assert [(p.name, p.unfolded, p.filled, p.origin) for p in parts] == [
        ("stage1", False, 0.5, "from old1"),
        ("stage2", False, 0.5, "from old2"),
    ]


def test_a_name_that_is_also_the_start_of_another_loses_nothing():
    moves = (move("a", "a", (3,), ("0:3",)), move("a.b", "a.b", (2,), ("0:1",)))
    parts = picture(resnet_plan().model_copy(update={"entries": moves}))
    assert [(p.name, p.inherited_elements) for p in parts] == [("a", 3), ("a.b", 1)]


def plan_of(*entries):
    return resnet_plan().model_copy(update={"entries": entries})


def test_a_module_says_why_it_inherits_nothing():
    reasons = ("other classes", "other classes", "not included", "a counter")
    entries = (Untouched(target=f"head.{n}", shape=(2,), reason=r) for n, r in enumerate(reasons))
    (head,) = picture(plan_of(*entries))
    assert head.origin == "other classes, not included …"
    assert head.how == ""


def test_a_network_inside_another_comes_from_the_whole_of_it():
    box = ("0:3",)
    parts = picture(
        plan_of(
            *(move(f"body.{t}", t, (3,), box) for t in ("stem.weight", "stage.0.bias", "norm.bias"))
        )
    )
    assert [p.origin for p in parts] == ["from the whole source"]
    assert [p.origin for p in parts[0].parts] == [
        *("from stem.weight", "from stage.0.bias", "from norm.bias")
    ]


@pytest.mark.parametrize(
    ("how", "sizes", "words"),
    [
        ("bicubic", (4, 9), "resized (bicubic)"),
        ("sum", (3, 1), "input channels summed to one"),
        ("cycle", (3, 4), "input channels repeated in turn"),
    ],
)
def test_how_values_are_made_is_said_of_a_tensor_and_of_its_module(how, sizes, words):
    old, new = ((2, size) for size in sizes)
    blended = Move(
        source="body.first",
        target="body.first",
        source_shape=old,
        target_shape=new,
        take=("0:2", f"0:{old[1]}"),
        put=("0:2", f"0:{new[1]}"),
        blend=Blend(axis=1, how=how),
    )
    (body,) = picture(plan_of(blended, move("body.second", "body.second", (3,), ("0:3",))))
    assert [p.how for p in (body, *body.parts)] == [f"{words}, copied", words, "copied"]


def test_every_way_to_compute_an_axis_has_words():
    assert set(WAYS) == set(get_args(Blend.model_fields["how"].annotation))
