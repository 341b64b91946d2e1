from report_cases import move, resnet_plan

from legatee.report.parts import picture


def flat(parts):
    for part in parts:
        yield part
        yield from flat(part.parts)


def test_every_element_of_the_network_is_in_the_picture():
    plan = resnet_plan()
    parts = picture(plan)
    assert sum(part.elements for part in parts) == plan.elements
    assert sum(part.inherited for part in parts) == sum(m.inherited for m in plan.moves)
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
    assert [(p.name, p.inherited) for p in parts] == [("a", 3), ("a.b", 1)]
