import pytest

from legatee.rounding import inherited_count


@pytest.mark.parametrize(
    ("alpha", "size", "count"),
    [
        (0.29, 50, 15),  # 14.5 exactly, but 14.499999999999998 in floating point
        (0.57, 50, 29),  # 28.5
        (0.35, 10, 4),  # 3.5
        (0.5, 7, 4),
        (0.5, 5, 3),  # 2.5: halves go up, not to even
        (0.25, 10, 3),
        (0.1, 4, 0),
        (0.49, 1, 0),
        (0.49, 7, 3),
        (0.0, 9, 0),
        (1.0, 9, 9),
        (1.0, 10**15, 10**15),
        (1e-12, 3, 0),
    ],
)
def test_a_share_is_rounded_to_the_nearest_count_halves_up(alpha, size, count):
    assert inherited_count(alpha, size) == count


def test_every_share_in_percent_is_rounded_as_on_paper():
    for percent in range(101):
        for size in range(1, 200):
            assert inherited_count(percent / 100, size) == (percent * size + 50) // 100
