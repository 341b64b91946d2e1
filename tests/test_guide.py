"""The guide to inheriting does what it says: its code runs, its commands are understood."""

import re
import shlex
from pathlib import Path

from typer.main import get_command

from legatee.cli import app

DOCS = Path(__file__).parents[1] / "docs"
GUIDE = (DOCS / "inheriting.md").read_text()


def test_its_code_prints_what_stands_beside_it(capsys):
    names = {}
    compared = 0
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(compile(block, "inheriting.md", "exec"), names)
        printed = capsys.readouterr().out
        for said in re.findall(r"^print\(.*\)  # ([\[{].*[\]}])", block, re.MULTILINE):
            assert eval(printed) == eval(said)
            compared += 1
    assert compared == 3


def test_its_command_lines_are_understood():
    group = get_command(app)
    lines = [line for line in GUIDE.splitlines() if re.match(r"legatee \w", line)]
    assert len(lines) == 3
    for line in lines:
        name, *words = shlex.split(line)[1:]
        assert group.commands[name].make_context(name, words, parent=None).params


def test_its_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#]+)", GUIDE):
        assert (DOCS / link).exists(), link
