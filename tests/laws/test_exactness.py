"""The span simulator is the naive program, to rounding, on the same draws."""

import pytest

from laws.same_draws import CASES, GENERIC, largest_differences
from legatee.simulator.span import by_samples, kept_coordinates


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "batched"])
@pytest.mark.parametrize("case", CASES)
def test_weights_and_losses_are_those_of_the_naive_program_for_200_steps(case, compiled):
    assert max(largest_differences(CASES[case], compiled=compiled)) < 1e-9


def test_the_cases_cover_both_kinds_of_coordinates():
    many = CASES["more samples than dimensions"]
    assert by_samples(GENERIC.upstream.n, kept_coordinates(GENERIC))
    assert not by_samples(many.upstream.n, kept_coordinates(many))
    assert kept_coordinates(GENERIC) < GENERIC.d == 400
    assert kept_coordinates(CASES["d coordinates"]) == CASES["d coordinates"].d
