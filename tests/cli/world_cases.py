"""What the tests of the model world's commands share."""

import json
import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from unittest import mock

import pytest

from legatee import Setting
from legatee.cli import main

# Another setting than the example in every way, and small enough to be simulated at once.
TOML = """
d = 600
m = 6
u_norm = 1.5
alpha = 0.5
eta = 0.3
sigma_0 = 1e-3
steps = 20

[upstream]
n = 40
v_norm = 2
sigma_p = 0.7
steps = 30

[downstream]
n = 12
v_norm = 1.25
sigma_p = 1.2
"""
WRITTEN = Setting.of(
    {"d": 600, "m": 6, "u_norm": 1.5, "alpha": 0.5, "eta": 0.3, "sigma_0": 1e-3, "steps": 20}
    | {"upstream.n": 40, "upstream.v_norm": 2, "upstream.sigma_p": 0.7, "upstream.steps": 30}
    | {"downstream.n": 12, "downstream.v_norm": 1.25, "downstream.sigma_p": 1.2}
)


def strict(text):
    """Read JSON that other readers than Python's can read, too."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def typed(*words):
    """Type a command; return its exit code, and what it printed on stdout and stderr."""
    command, wide = ["legatee", *map(str, words)], {"COLUMNS": "200"}
    with (
        mock.patch.object(sys, "argv", command),
        mock.patch.dict(os.environ, wide),
        redirect_stdout(StringIO()) as out,
        redirect_stderr(StringIO()) as err,
        pytest.raises(SystemExit) as left,
    ):
        main()
    if isinstance(code := left.value.code, str):  # Python prints it on stderr and leaves with 1
        return 1, out.getvalue(), err.getvalue() + code + "\n"
    return code or 0, out.getvalue(), err.getvalue()


def on_a_terminal(*words, columns="80"):
    """Type a command on a terminal of so many columns; return what it printed."""
    code = "import sys; sys.stdout.isatty = lambda: True; from legatee.cli import main; main()"
    own = {**os.environ, "COLUMNS": columns, "TERM": "xterm"}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, env=own
    )
    assert done.returncode == 0, done.stderr
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)


def prints(*words):
    """Type a command that succeeds and prints nothing on stderr; return what it printed."""
    code, out, err = typed(*words)
    assert (code, err) == (0, "")
    return out
