import copy
import pickle

import pytest

from legatee import errors
from legatee.errors import LegateeError, UnknownNameError, first_line, listed, printable

KINDS = [kind for name, kind in vars(errors).items() if name.endswith("Error")]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not UnknownNameError])
def test_no_message_steers_a_terminal(kind):
    error = kind("a \x1b[2J name\nof \u202e two lines \ud800")
    assert str(error) == r"a \x1b[2J name\nof \u202e two lines \ud800"
    assert isinstance(error, LegateeError)


def test_letters_of_any_script_are_left():
    text = "größer 模型 μ ≥ 3 — naïve"
    assert printable(text) == text


def test_a_short_list_of_known_names_is_whole():
    error = UnknownNameError("thing", "q", ["b", "a"])
    assert str(error) == "unknown thing 'q'; known: a, b"


def test_a_long_list_of_known_names_says_how_many_more_there_are():
    error = UnknownNameError("thing", "q", [f"n{number:03}" for number in range(1300)])
    assert str(error).endswith("known: n000, n001, n002, n003, n004, n005, n006, n007, n008, "
                               "n009, n010, n011, ... and 1,288 more")  # fmt: skip


def test_the_nearest_are_suggested_unless_better_are_known():
    assert str(UnknownNameError("thing", "pear", ["peat", "plum"])).endswith("did you mean peat?")
    better = UnknownNameError("thing", "pear", ["peat"], suggestions=["x:pear", "y:pear"])
    assert str(better).endswith("; did you mean x:pear or y:pear?")


@pytest.mark.parametrize("names", [[], ["a"], list("abc")])
def test_a_list_that_is_short_enough_is_whole(names):
    assert listed(names, most=3) == ", ".join(names)


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_passes_from_a_worker_process_as_it_was(again):
    error = again(UnknownNameError("thing", "pear", ["peat"]))
    assert type(error) is UnknownNameError
    assert isinstance(error, KeyError)
    assert str(error) == "unknown thing 'pear'; did you mean peat?"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\nsecond"), "first"),
        (ValueError("\n  \x1b[31mred\x1b[0m\nblack"), "red"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (OSError(2, "No such file"), "[Errno 2] No such file"),
        (ValueError("x" * 5000), "x" * 300),
    ],
)
def test_the_cause_of_another_packages_error_is_one_line(error, line):
    assert first_line(error) == line
