import sys

import pytest

from legatee.cli import main


@pytest.fixture
def legatee_does(monkeypatch, capsys):
    """Run the command in this process; return what it printed, or what it refused with."""

    def does(*words):
        monkeypatch.setattr(sys, "argv", ["legatee", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        out = capsys.readouterr().out
        return out if left.value.code in (0, None) else left.value.code

    return does
