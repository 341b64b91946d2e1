"""Paths that no file can have and names that a file has on purpose are met with one sentence."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from legatee.cli.reproduce import keeping
from legatee.errors import OutputError
from legatee.models.build import build
from legatee.surgery.files.checkpoint import read_metadata, write_weights

LONG = "a" * 300
SMALL = ("--classes", 2, "--shape", "1,8,8")
MODEL = "cnn:widths=4"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def planned(legatee_does) -> None:
    write_weights("old.safetensors", build(MODEL, num_classes=2, input_shape=(1, 8, 8)), {})
    legatee_does("plan", f"{MODEL}@old.safetensors", MODEL, *SMALL, "--out", "plan.json")


COMMANDS = {
    "catalog": ("catalog", f"{MODEL}@{LONG}"),
    "catalog, a config": ("catalog", f"transformers:{LONG}"),
    "catalog, a file of code": ("catalog", f"./{LONG}.py:make"),
    "plan": ("plan", MODEL, MODEL, *SMALL, "--out", LONG),
    "plan, the page": ("plan", MODEL, MODEL, *SMALL, "--html", LONG),
    "plan, names": ("plan", MODEL, MODEL, *SMALL, "--class-names", LONG),
    "inherit, the plan": ("inherit", LONG, MODEL, MODEL, "--out", "a.safetensors"),
    "inherit, the file": ("inherit", "plan.json", MODEL, MODEL, "--out", f"{LONG}.safetensors"),
    "verify": ("verify", LONG),
    "report": ("report", LONG),
    "predict": ("predict", f"{LONG}.toml"),
    "advise, a folder": ("advise", MODEL, MODEL, f"folder:{LONG}"),
    "advise, arrays": ("advise", MODEL, MODEL, f"npz:{LONG}"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_path_that_is_too_long_is_one_sentence(legatee_does, planned, command):
    said = legatee_does(*COMMANDS[command])
    assert isinstance(said, str)
    assert said.startswith("legatee: ")
    assert "\n" not in said
    assert LONG in said
    assert "too long" in said or command in ("catalog, a config", "verify")


def test_a_file_cannot_steer_the_terminal(legatee_does, planned):
    target = "cnn:widths=4"
    words = (f"{MODEL}@old.safetensors", target, "--out", "new.safetensors")
    legatee_does("inherit", "plan.json", *words)
    metadata = read_metadata("new.safetensors")
    metadata |= {"model": "\x1b[2J", "version": "\u202e\x1b]0;pwn\x07"}
    fields = ("command", "model", "plan", "plan_digest", "source_digest", "version")
    record = "\n".join(f"{len(metadata[name])} {name} {metadata[name]}" for name in fields)
    metadata["record_digest"] = sha256(record.encode()).hexdigest()
    save_file(load_file("new.safetensors"), "new.safetensors", metadata=metadata)
    said = legatee_does("verify", "new.safetensors")
    assert r"\x1b[2J inherited" in said
    assert r"(legatee \u202e\x1b]0;pwn\x07)" in said
    assert said.replace("\n", "").isprintable()


def test_an_unknown_tensor_cannot_steer_the_terminal(legatee_does):
    save_file({"\x1b]0;pwn\x07w": torch.ones(2)}, "it.safetensors")
    said = legatee_does("catalog", f"{MODEL}@it.safetensors")
    assert r"\x1b]0;pwn\x07w" in said
    assert said.isprintable()


def test_the_home_folder_may_be_written_short(legatee_does, planned, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    found = json.loads(legatee_does("catalog", f"{MODEL}@~/old.safetensors", "--json"))
    assert {t["name"]: t["shape"] for t in found["tensors"]}["head.weight"] == [2, 4]


@pytest.mark.parametrize("written", [True, False])
def test_a_page_that_was_written_can_be_shown_again_where_nothing_can_be_written(capsys, written):
    page = Path("report.html")
    if written:
        page.write_text("the page")

    def unwritable() -> None:
        with keeping(page):
            raise OutputError("cannot write 'report.html': Read-only file system")

    if not written:
        with pytest.raises(OutputError, match="Read-only"):
            unwritable()
        return
    unwritable()
    assert capsys.readouterr().err == (
        "legatee: cannot write 'report.html': Read-only file system; the page is the one that was "
        "written before\n"
    )
