"""``legatee reproduce`` as a user types it: one real figure, its page, and what is refused."""

import json
import subprocess
import sys

import pytest

from legatee.finding import Finding


def run(*words):
    return subprocess.run(
        [sys.executable, "-m", "legatee", *map(str, words)], capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """The second of the paper's figures, as it is."""
    folder = tmp_path_factory.mktemp("reproduced")
    return folder, run("reproduce", "universal_signal", "--out", folder)


def test_a_figure_of_the_paper_is_made_and_judged(reproduced):
    folder, done = reproduced
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("confirmed") == 3  # it hurts at |u| = 0, helps at the end, and rises
    finding = Finding.from_json((folder / "universal_signal.json").read_text())
    lost, gained, *_ = (claim.tests[0] for claim in finding.claims)
    assert lost.seeds == 48
    assert 1 < lost.estimate < 3  # points; the first run of this figure found 1.8 and 9.7
    assert 8 < gained.estimate < 11
    page = (folder / "figures.html").read_text()
    assert "How much signal the tasks share" in page
    assert "What if?" in page


def test_the_page_is_made_again_without_simulating(reproduced):
    folder, _ = reproduced
    page = folder / "figures.html"
    whole = page.read_bytes()
    page.unlink()
    done = run("report", folder)
    assert (done.returncode, done.stdout) == (0, f"{page}\n")
    assert page.read_bytes() == whole


def test_the_same_command_computes_nothing_again(reproduced):
    folder, _ = reproduced
    blocks = {
        p: p.stat().st_mtime_ns for p in folder.rglob("part-000.zarr/*/c/**/*") if p.is_file()
    }
    done = run("reproduce", "universal_signal", "--out", folder, "--json")
    (finding,) = json.loads(done.stdout)
    assert [claim["outcome"] for claim in finding["claims"]] == ["confirmed"] * 3
    assert {p: p.stat().st_mtime_ns for p in blocks} == blocks
    assert blocks


def test_more_seeds_are_added_to_those_that_are_there_by_the_figures_number(tmp_path):
    """The smallest figure, made by its number: with three seeds, then with four."""
    first = run("reproduce", 2, "--seeds", 3, "--out", tmp_path)
    assert first.returncode == 0, first.stderr
    assert not any(line.endswith(" ") for line in first.stdout.splitlines())
    second = run("reproduce", 2, "--seeds", 4, "--out", tmp_path, "--json")
    assert second.returncode == 0, second.stderr
    (finding,) = json.loads(second.stdout)
    assert finding["name"] == "universal_signal"
    assert finding["command"] == "legatee reproduce universal_signal --quick --seeds 4"
    assert {test["seeds"] for claim in finding["claims"] for test in claim["tests"]} == {4}
    data = tmp_path / "data" / "universal_signal-quick" / "1"
    assert sorted(path.name for path in data.iterdir()) == ["part-000.zarr", "part-001.zarr"]
    fewer = run("reproduce", 2, "--seeds", 2, "--out", tmp_path)
    assert (fewer.returncode, fewer.stdout) == (1, "")
    assert "axes may become longer, not shorter" in fewer.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("universal_signals",), "did you mean universal_signal"),
        (("17",), "there is no figure 17; expected a number from 1 to 16"),
        (("0",), "there is no figure 0"),
        (("growth", "--dask", "tcp://127.0.0.1:9"), "does not answer"),
        (("growth", "--out", "/proc/figures"), "cannot write"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(words, said, tmp_path):
    more = () if "--out" in words else ("--out", tmp_path)
    done = run("reproduce", *words, *more)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
