"""The README's example runs as it stands there, and its commands exist."""

import re
import shlex
from pathlib import Path

from typer.main import get_command

from legatee.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


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


def test_its_command_lines_are_understood():
    group = get_command(app)
    lines = [line for line in README.splitlines() if re.match(r"legatee \w", line)]
    assert len(lines) == 10
    for line in lines:
        name, *words = shlex.split(line)[1:]
        command = group.commands[name]
        assert command.make_context(name, words, parent=None).command is command


def test_its_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / link).exists(), link
