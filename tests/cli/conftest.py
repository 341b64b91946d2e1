import sys

import pytest

from legatee.cli import main


@pytest.fixture
def typed(monkeypatch, capsys):
    """Type a command; return its exit code, what it printed, and what it said beside."""
    monkeypatch.setenv("COLUMNS", "200")

    def types(*words):
        monkeypatch.setattr(sys, "argv", ["legatee", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        if isinstance(left.value.code, str):  # Python prints it on stderr and leaves with 1
            return 1, out, err + left.value.code + "\n"
        return left.value.code or 0, out, err

    return types


@pytest.fixture
def prints(typed):
    """Type a command that is done without a word beside; return what it printed."""

    def printed(*words):
        code, out, err = typed(*words)
        assert (code, err) == (0, "")
        return out

    return printed


@pytest.fixture
def written(tmp_path):
    """Write a file; return its path."""

    def write(name, text):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write
