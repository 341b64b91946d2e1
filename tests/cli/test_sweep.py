"""``legatee sweep`` as a user types it."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from world_cases import typed

from legatee.cli.sweep import read_sweep
from legatee.sweep.read import load
from legatee.sweep.run import fill
from legatee.work.workers import executor
from legatee.world.setting import EXAMPLE, fields

FILE = """
seeds = 3
record_steps = [10, 5]
test_draws = 100
dtype = "float64"

[setting]
m = 3
upstream.n = 30
inherit = "active"

[axes]
d = {from = 100, to = 10000, count = 3, log = true}
downstream.n = [9, 12]
alpha = {from = 0, to = 1, count = 5}
"u_norm,downstream.v_norm" = [[0, 2], [1.5, 1.5]]
"""
TINY = """
seeds = 2
[setting]
m = 2
steps = 5
upstream.n = 8
downstream.n = 8
[axes]
"u_norm" = [0, 1.5]
"""


@pytest.fixture
def written(tmp_path):
    """Write a file; return its path."""

    def write(name, text):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_file_says_what_to_simulate(written):
    sweep = read_sweep(written("grid.toml", FILE))
    assert dict(sweep.grid.axes) == {
        "d": (100, 1000, 10000),
        "downstream.n": (9, 12),
        "alpha": (0, 0.25, 0.5, 0.75, 1),
        "u_norm,downstream.v_norm": ((0, 2), (1.5, 1.5)),
    }
    assert (sweep.seeds, sweep.record_steps, sweep.test_draws) == ((0, 1, 2), (5, 10), 100)
    assert sweep.dtype == "float64"
    own = {"m": 3, "upstream.n": 30, "inherit": "active"}
    assert fields(sweep.grid.base) == {**fields(EXAMPLE), **own}
    assert len(read_sweep(written("few.toml", "[axes]\nalpha = [0, 1]")).seeds) == 8


def test_the_documents_file_is_one(written):
    page = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text()
    sweep = read_sweep(written("grid.toml", page.split("```toml")[1].split("```")[0]))
    assert sweep.cells == 4 * 11 * 5 * 3 * 10


def test_equal_ratios_are_numpys(written):
    sweep = read_sweep(
        written("grid.toml", "[axes]\neta = {from = 0.01, to = 3, count = 7, log = true}")
    )
    np.testing.assert_array_equal(sweep.grid.axes["eta"], np.geomspace(0.01, 3, 7))


def test_the_command_fills_a_folder_beside_the_file(written, monkeypatch):
    file = written("tiny.toml", TINY)
    here = executor(ThreadPoolExecutor(1))  # real processes: tests/sweep/test_kills.py
    monkeypatch.setattr("legatee.cli.sweep.workers_of", lambda *_: here)
    code, out, err = typed("sweep", file, "--workers", 1)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "2 u_norm x 2 seed: 4 cells."
    assert out.splitlines()[1].startswith("Runs: ")
    found = load(file.with_suffix(""))
    assert dict(found["status"].sizes) == {"u_norm": 2, "seed": 2, "run": 3}
    assert found.attrs["command"].startswith("legatee sweep ")
    monkeypatch.setattr("legatee.sweep.run.each", None)  # nothing is left to be done
    code, out, err = typed("sweep", file, "--json")
    assert json.loads(out)["sizes"] == {"u_norm": 2, "seed": 2}
    assert sum(json.loads(out)["statuses"].values()) == 12


def test_another_place_workers_and_repair_are_handed_on(written, tmp_path, monkeypatch):
    asked = {}

    def filling(sweep, out, **options):
        asked.update(options, out=out)
        fill(sweep, out)

    monkeypatch.setattr("legatee.sweep.run.fill", filling)
    monkeypatch.setattr("legatee.sweep.run.each", lambda *_: [])
    scheduler = written("scheduler.json", '{"address": "tcp://127.0.0.1:9"}')
    words = ("--out", tmp_path / "there", "--device", "cuda:7", "--repair", "--dask", scheduler)
    code, _, err = typed("sweep", written("tiny.toml", TINY), *words)
    assert (code, err) == (0, "")
    assert (asked["out"], asked["device"], asked["repair"]) == (tmp_path / "there", "cuda:7", True)
    assert asked["provenance"]["command"].startswith("legatee sweep ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["no axes"]),
        ("seeds = 3\n[axes", ["cannot read the sweep", "grid.toml"]),
        (b"\xff\xfe", ["cannot read the sweep"]),
        ("a = " + "[" * 100_000, ["cannot read the sweep"]),
        ("[axes]\nalpah = [0, 1]", ["alpah", "did you mean alpha"]),
        ("[axes]\nupstream.nn = {from = 1, to = 2, count = 2}", ["upstream.nn", "upstream.n"]),
        ("sedes = 3\n[axes]\nalpha = [0, 1]", ["sedes", "did you mean seeds"]),
        ("[axis]\nalpha = [0, 1]", ["axis", "did you mean axes"]),
        ("axes = 3", ["axes is 3", "table [axes]"]),
        ("[setting]\nmm = 3\n[axes]\nalpha = [0]", ["mm"]),
        ("[setting]\nd = 1\n[axes]\nalpha = [0]", ["d is 1"]),
        ("[axes]\nalpha = [0, 2]", ["alpha is 2", "from 0 to 1"]),
        ("[axes]\nalpha = []", ["alpha is empty"]),
        ("[axes]\nalpha = 0.5", ["alpha is 0.5", "list of values"]),
        ("[axes]\nalpha = [0, 0]", ["alpha", "twice"]),
        ("[axes]\nm = {from = 1, to = 3, count = 5}", ["m has a value twice"]),
        ("[axes]\nalpha = {from = 0, to = 1}", ["alpha is {'from': 0", "count = 7"]),
        ("[axes]\nalpha = {from = 0, to = 1, cuont = 7}", ["cuont"]),
        ("[axes]\nalpha = {from = 0, to = 1, count = 1e12}", ["axes.alpha.count"]),
        ("[axes]\nalpha = {from = 0, to = 1, count = inf}", ["axes.alpha.count"]),
        ("[axes]\nalpha = {from = 0, to = nan, count = 2}", ["axes.alpha.to is nan"]),
        ("[axes]\nalpha = {from = 0, to = 1, count = 2, log = 1}", ["log = true"]),
        ("[axes]\nalpha = {from = 0, to = 1, count = 2, log = true}", ["above 0"]),
        ("[axes]\ninherit = ['random', 'activ']", ["activ", "active"]),
        ('[axes]\n"u_norm,alpha" = [[1]]', ["u_norm,alpha", "2 fields"]),
        ("seeds = 0\n[axes]\nalpha = [0]", ["seeds is 0"]),
        ("seeds = 1000000000000\n[axes]\nalpha = [0]", ["seeds is 1000000000000"]),
        ("seeds = [1, 2]\n[axes]\nalpha = [0]", ["seeds is [1, 2]"]),
        ("record_steps = 1\n[axes]\nalpha = [0]", ["record_steps is 1"]),
        ("record_steps = [-1]\n[axes]\nalpha = [0]", ["record_steps is -1"]),
        ("test_draws = true\n[axes]\nalpha = [0]", ["test_draws is True"]),
        ("dtype = {a = 1}\n[axes]\nalpha = [0]", ["unknown dtype {'a': 1}", "float32"]),
        ("alpha = 3\n[axes]\nalpha = [0]", ["alpha"]),
        ("[setting]\nalpha = 1\n[axes]\nalpha = [0]", ["alpha", "[setting]", "[axes]"]),
        ("[setting]\nd = 9\n[axes]\n'u_norm,d' = [[0, 5]]", ["d is given", "[setting]"]),
        ("[setting]\nm = 9\n[axes]\nm = [1]", ["m is given", "[setting]"]),
        ("[setting]\nupstream.n = 9\n'upstream.n' = 8\n[axes]\nd = [5]", ["upstream.n", "twice"]),
        ("[axes]\nupstream.n = [9]\n'upstream.n' = [8]", ["upstream.n", "twice"]),
        ("[setting]\nupstream" + ".n" * 5000 + " = 1\n[axes]\nd = [5]", ["upstream.n.n"]),
        ("dtype = 'float16'\n[axes]\nalpha = [0]", ["float16", "float32"]),
    ],
)
def test_a_file_that_is_no_sweep_is_one_sentence(written, text, words):
    code, out, err = typed("sweep", written("grid.toml", text))
    assert (code, out) == (1, "")
    assert err.startswith("legatee: ")
    assert err.count("\n") == 1
    assert all(word in err for word in words), err


def test_places_and_schedulers_that_are_not_there_are_said(written, tmp_path):
    assert "cannot read the sweep" in typed("sweep", tmp_path / "nowhere.toml")[2]
    assert "cannot read the sweep" in typed("sweep", tmp_path)[2]
    file = written("tiny.toml", TINY)
    assert "cannot write" in typed("sweep", file, "--out", file)[2]
    garbled = written("garbled.json", "[]")
    for scheduler in (garbled, tmp_path / "nowhere.json"):
        code, out, err = typed("sweep", file, "--dask", scheduler)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "cannot read the Dask scheduler file" in err
