import numpy as np
import pytest

from legatee.experiments.jackknife import pseudo_values


def test_pseudo_values_of_a_mean_are_the_values():
    values = np.array([[1.0, 2.0, 6.0], [0.0, 5.0, 7.0]])
    np.testing.assert_allclose(pseudo_values(values, lambda mean: mean), values.T)


def test_pseudo_values_take_the_bias_of_a_squared_mean_away():
    # mean 3, variance 7: the square of the mean is 9, of which 7 / 3 is noise
    (mean,) = pseudo_values(np.array([[1.0, 2.0, 6.0]]), lambda mean: mean**2).mean(0)
    assert mean == pytest.approx(9 - 7 / 3)


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_a_seed_that_diverged_has_no_value_and_changes_no_other(lost):
    values = np.array([[1.0, 2.0, 3.0, 6.0], [0.0, 5.0, lost, 7.0]])
    found = pseudo_values(values, lambda mean: mean.prod())
    others = pseudo_values(np.delete(values, 2, 1), lambda mean: mean.prod())
    np.testing.assert_allclose(found, np.insert(others, 2, np.nan))


def test_one_seed_or_one_that_is_left_has_no_pseudo_value():
    assert np.isnan(pseudo_values(np.array([[1.0]]), lambda mean: mean[0])).all()
    found = pseudo_values(np.array([[1.0, np.nan]]), lambda mean: np.array([mean[0], 2.0]))
    assert found.shape == (2, 2)
    assert np.isnan(found).all()
