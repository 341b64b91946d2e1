"""The order of the rows that a layer sees, told from examples that are run alone as well."""

import pytest
import torch

from legatee.surgery.planning.layer_inputs import Seen, layouts

EXAMPLES, POSITIONS, CHANNELS = 3, 4, 2
VALUES = torch.arange(1.0, 25.0).reshape(EXAMPLES, POSITIONS, CHANNELS)


def seen(rows, name="layer"):
    return Seen(name=name, mean=rows, peak=rows)


def told(joint, singles):
    found = layouts([seen(joint)], [[seen(one)] for one in singles])
    return None if found is None else found[0]


def test_the_positions_of_one_example_may_follow_one_another():
    assert told(VALUES.reshape(12, CHANNELS), VALUES) == "examples first"


def test_the_examples_of_one_position_may_follow_one_another():
    assert told(VALUES.transpose(0, 1).reshape(12, CHANNELS), VALUES) == "positions first"


def test_what_all_examples_share_depends_on_none():
    assert told(VALUES[0], VALUES[:1].expand(EXAMPLES, -1, -1)) == "no examples"


def test_rows_in_another_order_are_in_none_that_is_known():
    mixed = VALUES.reshape(12, CHANNELS)[torch.randperm(12, generator=torch.manual_seed(1))]
    assert told(mixed, VALUES) is None


def test_as_many_rows_as_one_example_has_are_shared_only_where_the_examples_agree():
    assert told(VALUES[0], VALUES) is None


@pytest.mark.parametrize("rows", [11, 8, 24])
def test_rows_that_do_not_divide_among_the_examples_are_not_told(rows):
    assert told(torch.ones(rows, CHANNELS), VALUES) is None


def test_examples_of_unequal_length_are_not_told():
    assert told(VALUES.reshape(12, CHANNELS), [VALUES[0], VALUES[1], VALUES[2][:3]]) is None


def test_where_both_orders_fit_neither_is_chosen():
    assert told(torch.ones(12, CHANNELS), torch.ones_like(VALUES)) is None


def test_of_one_position_there_is_one_order():
    alike = torch.ones(EXAMPLES, 1, CHANNELS)
    assert told(alike.reshape(EXAMPLES, CHANNELS), alike) == "examples first"


@pytest.mark.parametrize(("error", "layout"), [(0.9e-3, "examples first"), (1.1e-3, None)])
def test_values_may_differ_by_a_thousandth_of_the_largest(error, layout):
    changed = VALUES.reshape(12, CHANNELS).clone()
    changed[5, 1] -= error * 24
    assert told(changed, VALUES) == layout


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_scale_of_the_values_does_not_matter(scale):
    changed = scale * VALUES.reshape(12, CHANNELS)
    assert told(changed, scale * VALUES) == "examples first"
    changed[5, 1] *= 2
    assert told(changed, scale * VALUES) is None


def test_other_layers_than_alone_tell_nothing():
    joint = [seen(VALUES.reshape(12, CHANNELS), "one")]
    assert layouts(joint, [[seen(one, "one")] for one in VALUES]) == ["examples first"]
    assert layouts(joint, [[seen(one, "two")] for one in VALUES]) is None


def test_one_layer_that_cannot_be_told_is_enough_to_give_up():
    good, bad = VALUES.reshape(12, CHANNELS), torch.ones(12, CHANNELS)
    singles = [[seen(one), seen(torch.ones(POSITIONS, CHANNELS))] for one in VALUES]
    assert layouts([seen(good), seen(bad)], singles) is None
    assert layouts([seen(good)], [one[:1] for one in singles]) == ["examples first"]


def test_each_example_has_the_mean_and_the_maximum_of_its_positions():
    """By hand: over the positions of each example, however they are ordered."""
    for layout, rows in (
        ("examples first", VALUES.reshape(12, CHANNELS)),
        ("positions first", VALUES.transpose(0, 1).reshape(12, CHANNELS)),
    ):
        one = Seen(name="layer", mean=rows, peak=10 * rows).by_example(layout, EXAMPLES)
        assert one.name == "layer"
        assert torch.equal(one.mean, VALUES.mean(1))
        assert torch.equal(one.peak, 10 * VALUES.amax(1))


def test_what_depends_on_no_example_is_the_same_for_all():
    one = Seen(name="layer", mean=VALUES[0], peak=-VALUES[0]).by_example("no examples", 5)
    assert torch.equal(one.mean, VALUES[0].mean(0).expand(5, -1))
    assert torch.equal(one.peak, -VALUES[0].amin(0).expand(5, -1))


def test_rows_that_do_not_divide_stay_as_they_are():
    rows = seen(torch.ones(7, CHANNELS))
    assert rows.by_example("examples first", 3) is rows
    assert rows.by_example("positions first", 3) is rows


def test_of_one_example_all_rows_are_positions():
    one = Seen(name="layer", mean=VALUES[0], peak=VALUES[0]).of_one_example()
    assert torch.equal(one.mean, VALUES[0].mean(0, keepdim=True))
    assert torch.equal(one.peak, VALUES[0].amax(0, keepdim=True))
