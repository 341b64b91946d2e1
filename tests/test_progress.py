import io
import sys

import pytest

from legatee import progress
from legatee.progress import track


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress._Lines.__init__, "__defaults__", (clock,))
    return clock


def test_short_work_says_nothing_without_a_terminal(capsys, monkeypatch, clock):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with track(3, "seeds") as advance:
        advance()
        clock.now += 4.9
        advance("score 0.75")
    assert capsys.readouterr() == ("", "")


def test_long_work_writes_a_line_now_and_then_and_one_at_the_end(capsys, clock):
    with track(9, "seeds") as advance:
        for step in range(9):
            clock.now += 10
            advance(f"score {step}")
    # the first is due after 5 s, the others 30 s after the one before, the last at the end
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "seeds: 1 of 9 after 10 s, score 0",
        "seeds: 4 of 9 after 40 s, score 3",
        "seeds: 7 of 9 after 70 s, score 6",
        "seeds: 9 of 9 after 90 s, score 8",
    ]


def test_what_was_written_last_is_not_written_again(capsys, clock):
    with track(2, "blocks") as advance:
        clock.now += 6
        advance(steps=2)
    assert capsys.readouterr().err == "blocks: 2 of 2 after 6 s\n"


def test_it_is_silent_where_it_is_told_to_be(capsys, monkeypatch, clock):
    terminal = Terminal()
    with track(2, "blocks", shown=False) as advance:
        clock.now += 60
        advance()
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", terminal)
    with track(2, "blocks", shown=False) as advance:
        advance()
    assert terminal.getvalue() == ""


def test_it_shows_label_count_and_text_on_a_terminal(capsys, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with track(3, "seeds") as advance:
        advance()
        advance("score 0.75")
    assert "seeds" in terminal.getvalue()
    assert "2/3" in terminal.getvalue()
    assert "score 0.75" in terminal.getvalue()
    assert capsys.readouterr().out == ""
