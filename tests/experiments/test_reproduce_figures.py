"""Every figure, small: it runs, is read, is drawn, and says what it stands on."""

import importlib.util
import shutil
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import pytest

from legatee import LegateeError
from legatee.experiments import figures, reproduce
from legatee.experiments.figures import FIGURES
from legatee.finding import Finding
from legatee.report.findings import render_findings
from legatee.work.workers import executor, processes
from legatee.world.grid import Grid


def small(sweep):
    """The same axes, with fewer steps and seeds."""
    base = replace(sweep.grid.base, steps=8)
    return replace(sweep, grid=Grid(base=base, axes=sweep.grid.axes), seeds=(0, 1, 2))


class Nobody(Executor):
    def submit(self, *_):
        pytest.fail("nothing was left to do")


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """All figures from small sweeps."""
    true = reproduce.experiment

    def smaller(name):
        one = true(name)
        return replace(one, quick=tuple(small(sweep) for sweep in one.quick))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reproduce, "experiment", smaller)
        folder = tmp_path_factory.mktemp("figures")
        found = reproduce.reproduce([], folder, workers=processes(1))
    return folder, found


def test_every_file_is_a_figure():
    files = {path.stem for path in Path(figures.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == set(FIGURES)
    for name in files:
        assert reproduce.experiment(name).name == name


def test_every_figure_has_panels_claims_and_a_caption(findings):
    folder, found = findings
    assert [finding.name for finding in found] == list(FIGURES)
    for finding in found:
        assert finding.panels
        assert finding.claims
        assert len(finding.caption) > 100
        assert finding.setting["seeds"] == "3, paired"
        assert (folder / finding.data / "1" / "part-000.zarr").is_dir()
        text = (folder / f"{finding.name}.json").read_text()
        assert Finding.from_json(text).to_json() == text == finding.to_json()


def test_a_finding_says_what_its_runs_have_in_common_and_what_is_varied(findings):
    by_name = {finding.name: finding.setting for finding in findings[1]}
    dimension, whole = by_name["dimension"], by_name["whole_layer"]
    assert dimension["d"] == "varied, 6 values from 500 to 1000000"
    assert dimension["upstream.n"].startswith("200 (")
    assert dimension["eta"].startswith("1.0 (")
    assert whole["alpha"] == "varied, 2 values from 0.5 to 1.0"
    assert whole["d"].startswith("2,000 (")
    assert whole["inherit"] == "random (which filters are inherited)"
    assert {"steps", "m", "sigma_0", "downstream.sigma_p"} <= set(whole)


def test_every_comparison_is_of_all_seeds(findings):
    for finding in findings[1]:
        for claim in finding.claims:
            assert claim.tests
            for test in claim.tests:
                assert test.seeds == 3


def test_all_of_it_makes_a_page(findings):
    page = render_findings(findings[1], title="All figures")
    for finding in findings[1]:
        assert finding.title in page


def test_the_same_command_goes_on_where_it_was(findings, monkeypatch):
    folder, found = findings
    monkeypatch.setattr(
        reproduce,
        "experiment",
        lambda name, true=reproduce.experiment: replace(
            true(name), quick=tuple(small(sweep) for sweep in true(name).quick)
        ),
    )
    (again,) = reproduce.reproduce(["growth"], folder, workers=executor(Nobody()))
    assert again.panels == next(one for one in found if one.name == "growth").panels


def test_an_unknown_figure_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(LegateeError, match="did you mean universal_signal"):
        reproduce.reproduce(["universal_signals"], tmp_path)


def test_a_file_is_all_that_a_new_figure_takes(tmp_path):
    folder = Path(figures.__file__).parent
    copy = tmp_path / "figures"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(copy / "width.py", copy / "another.py")
    spec = importlib.util.spec_from_file_location("copied_figures", copy / "__init__.py")
    copied = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copied)
    assert (*FIGURES, "another") == copied.FIGURES
    assert len(FIGURES) == len(set(FIGURES)) == len(list(folder.glob("[!_]*.py")))
