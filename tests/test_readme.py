"""The code of the README and of the guide runs as it stands, and their commands exist."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from legatee.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
GUIDE = (ROOT / "docs" / "inheriting.md").read_text()


def run(example, capsys):
    assert len([line for line in example.splitlines() if line]) <= 10
    exec(compile(example, "README.md", "exec"), {})
    return capsys.readouterr().out.splitlines()


def test_the_examples_run_and_are_ten_lines(capsys):
    pair, world = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    verdict, share = run(pair, capsys)
    assert re.match(r"(inherit|scratch|undecided): .*\d", verdict)
    assert 0 < float(share) <= 1
    gain, *accuracies = run(world, capsys)
    assert 0 < float(gain) < 1
    assert "xarray.DataArray 'test_accuracy' (setting: 3)" in accuracies[0]


def test_its_commands_are_the_makefiles():
    makefile = (ROOT / "Makefile").read_text()
    for command in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{command}: .venv/ready\n" in makefile


def test_the_guides_code_prints_what_stands_beside_it(capsys):
    names = {}
    compared = 0
    for block in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL):
        exec(compile(block, "inheriting.md", "exec"), names)
        printed = capsys.readouterr().out
        for said in re.findall(r"^print\(.*\)  # ([\[{].*[\]}])", block, re.MULTILINE):
            assert eval(printed) == eval(said)
            compared += 1
    assert compared == 4


@pytest.mark.parametrize(("page", "count"), [(README, 10), (GUIDE, 3)], ids=["README", "guide"])
def test_command_lines_are_understood(page, count):
    group = get_command(app)
    lines = [line for line in page.splitlines() if re.match(r"legatee \w", line)]
    assert len(lines) == count
    for line in lines:
        name, *words = shlex.split(line)[1:]
        command = group.commands[name]
        assert command.make_context(name, words, parent=None).command is command


@pytest.mark.parametrize(
    ("page", "folder"), [(README, ROOT), (GUIDE, ROOT / "docs")], ids=["README", "guide"]
)
def test_links_lead_somewhere(page, folder):
    for link in re.findall(r"\]\(([^)#]+)", page):
        assert (folder / link).exists(), link
