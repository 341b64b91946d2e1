"""What ``catalog`` and ``plan`` make of networks, sizes and rules as they are typed."""

import json

import pytest

from legatee.surgery.checkpoint import write_weights
from legatee.training.models import build

OLD, NEW = "cnn:widths=8", "cnn:widths=6"
SIZES = ("--classes", 5, "--shape", "1,8,8")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(said: object) -> str:
    assert isinstance(said, str), "it was not refused"
    assert said.startswith("legatee: ")
    assert "\n" not in said
    return said


# --- rules ----------------------------------------------------------------------------------------


def test_the_largest_weights_of_no_weights_are_refused(legatee_does):
    said = refused(legatee_does("plan", OLD, NEW, *SIZES, "--rule", "largest"))
    assert said == f"legatee: rule 'largest' looks at weights; give {OLD}@FILE"


def test_the_largest_weights_are_those_of_the_file(legatee_does):
    network = build(OLD, classes=5, shape=(1, 8, 8), seed=3)
    network.features.conv1a.weight.data[:2] = 0  # the smallest of the first group
    write_weights("old.safetensors", network, {})
    words = ("plan", f"{OLD}@old.safetensors", NEW, *SIZES, "--rule", "largest", "--json")
    moves = {m["target"]: m for m in json.loads(legatee_does(*words))["entries"]}
    assert moves["features.conv1a.weight"]["take"][0] == "2:8"


@pytest.mark.parametrize("rule", ["active", "signal", "largset"])
def test_a_rule_that_the_command_line_has_not_is_refused(legatee_does, rule):
    said = refused(legatee_does("plan", OLD, NEW, *SIZES, "--rule", rule))
    assert "expected one of uniform, first, random, largest" in said
