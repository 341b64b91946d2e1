import io
import sys

from legatee.progress import track


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run() -> None:
    with track(3, "seeds") as advance:
        advance()
        advance("score 0.75")
        advance()


def test_it_is_silent_unless_somebody_watches(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    run()
    assert capsys.readouterr() == ("", "")


def test_it_shows_label_count_and_text_on_standard_error(capsys, monkeypatch):
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
