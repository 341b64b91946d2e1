"""The demo, whole but small; its verdicts at full size are `make bench`'s to show."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from legatee.experiments import demo
from legatee.surgery.files.checkpoint import read_metadata
from legatee.surgery.planning.plan import plan
from legatee.training.loop import TrainingLoop


@pytest.fixture
def small(monkeypatch):
    small_cases = tuple(
        replace(case, upstream=case.upstream.replace("n=3000", "n=100"), epochs=1)
        for case in demo.CASES
    )
    monkeypatch.setattr(demo, "CASES", small_cases)
    monkeypatch.setattr(demo, "TRAINER", TrainingLoop(epochs=1, device="cpu"))
    monkeypatch.setattr(demo, "SEEDS", 2)


def test_it_writes_what_it_says_and_resumes(small, tmp_path):
    first = demo.run(tmp_path, workers=1)
    assert set(first) == {"related", "harmful"}
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/upstream.safetensors")}
    assert len(stamps) == 2
    again = demo.run(tmp_path, workers=1)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert again["related"].arms == first["related"].arms


def test_the_initialised_network_holds_what_the_plan_says(small, monkeypatch, tmp_path):
    decided = demo.advise

    def inherit_all(*arguments, **options):  # whatever a demo this small decides
        advice = decided(*arguments, **options)
        source, make_target = arguments[:2]
        whole = plan(source, make_target(), head=False)
        return advice.model_copy(update={"plan": whole})

    monkeypatch.setattr(demo, "advise", inherit_all)
    demo.run(tmp_path, workers=1)
    path = tmp_path / "related" / "initialised.safetensors"
    target = load_file(path)
    source = load_file(tmp_path / "related" / "upstream.safetensors")
    kept = torch.linspace(0, 23, 16).round().long()  # weight selection: 24 channels into 16
    name = "features.conv1b.weight"
    assert target[name].equal(source[name][kept][:, kept])
    assert read_metadata(path)["model"] == demo.DOWNSTREAM
