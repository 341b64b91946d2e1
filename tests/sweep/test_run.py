"""Sweeps on disk: what they hold, how they grow, and what they refuse."""

import contextlib
import json
import os
import resource
import shutil
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from sweep_cases import SMALL, D, chunks, here, marks, sweep_of, undisturbed

from legatee import Grid, simulate
from legatee.errors import LegateeError, OutputError, UnknownNameError
from legatee.results import read as results_read
from legatee.results.layout import DIGESTS, digests
from legatee.results.read import cut_of
from legatee.simulator.deep import simulate_deep
from legatee.sweep import declare
from legatee.sweep.block import compute
from legatee.sweep.declare import Sweep
from legatee.sweep.read import load, tally
from legatee.sweep.run import run
from legatee.work.workers import executor


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A finished sweep of some blocks; to be copied, not touched."""
    folder = tmp_path_factory.mktemp("filled") / "sweep"
    with pytest.MonkeyPatch.context() as patch:
        undisturbed(sweep_of(40), folder, patch)
    return folder


@pytest.fixture
def copied(filled, tmp_path):
    return Path(shutil.copytree(filled, tmp_path / "copy"))


@pytest.fixture
def small_files():
    """A real limit of the operating system: no file may grow beyond 4 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def no_more_files():
    """A real limit of the operating system: no further file may be opened."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def refused(folder, sweep, error=OutputError, **options):
    with pytest.raises(error) as caught:
        here(sweep, folder, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- what it holds --------------------------------------------------------------------------------


def test_a_sweep_holds_what_simulate_says_of_every_cell(tmp_path, monkeypatch):
    monkeypatch.setattr(declare, "BLOCK_SECONDS", 0.005)
    axes = {"inherit,alpha": [("random", 0.3), ("active", 1)], "upstream.n": [30, 9], "d": [5, 700]}
    sweep = Sweep(
        grid=Grid(base=SMALL, axes=axes), seeds=(3, 0, 8), record_steps=[7], dtype="float64"
    )
    here(sweep, tmp_path)
    assert marks(tmp_path) > 3
    found = load(tmp_path)
    alone = simulate(sweep.grid, sweep.seeds, record_steps=[7], dtype="float64")
    for number, (rule, n, d) in enumerate(product(*axes.values())):
        cell = found.sel({"inherit": rule[0], "upstream.n": n, "d": d})
        assert cell["alpha"] == rule[1]
        for name in declare.variables_of(sweep):
            expected = alone[name].isel(setting=number).sel(seed=cell["seed"])
            if name == "status":
                assert (cell[name] == expected).all()
            else:
                np.testing.assert_allclose(cell[name], expected, rtol=1e-6, err_msg=name)
        for field in declare.fields(SMALL):
            assert cell[field] == alone[field][number], field
    assert found["step_number"].sel(run="scratch").values.tolist() == [0, 7, 20]
    assert found["train_loss"].attrs["units"] == "nats"
    assert {"version", "commit", "command", "device", "date"} <= set(found.attrs)


def test_steps_are_told_along_the_axes_that_change_them(tmp_path):
    axes = {"d": [50, 60], "upstream.steps,eta": [(10, 0.1), (6, 0.2)]}
    here(Sweep(grid=Grid(base=SMALL, axes=axes), seeds=(0,)), tmp_path)
    found = load(tmp_path)
    assert found["step_number"].sel(run="upstream", step=1).values.tolist() == [6, 10]
    assert found["eta"].values.tolist() == [0.2, 0.1]


def test_deeper_networks_are_swept_too(tmp_path):
    sweep = replace(sweep_of(2, d=(100, 300), alphas=(0, 1)), layers=3)
    here(sweep, tmp_path)
    found, alone = load(tmp_path), simulate_deep(sweep.grid, 2, layers=3)
    for name in ("train_loss", "test_accuracy", "test_accuracy_error"):
        expected = alone[name].values.reshape(found[name].shape)
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-5)
    assert "layers is 3 there and 2 now" in refused(tmp_path, replace(sweep, layers=2))


def test_some_variables_can_be_read_alone(filled):
    assert list(load(filled, ["train_loss"])) == ["train_loss"]
    with pytest.raises(UnknownNameError, match="train_loss"):
        load(filled, ["trian_loss"])


def test_a_diverging_cell_is_a_status(tmp_path):
    base = replace(SMALL, weight_decay=1.0)
    here(Sweep(grid=Grid(base=base, axes={"eta": [0.1, 30.0]}), seeds=(0, 1)), tmp_path)
    status = load(tmp_path)["status"]
    assert (status.sel(eta=30.0) == "diverged").all()
    assert (status.sel(eta=0.1) != "diverged").all()
    assert tally(tmp_path)["diverged"] == 6


def test_any_executor_does_and_gives_the_same_bits(filled, tmp_path, monkeypatch):
    monkeypatch.setattr(declare, "BLOCK_SECONDS", 0.1)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        run(sweep_of(40), tmp_path / "processes", workers=executor(pool))
    with ThreadPoolExecutor(2) as pool:
        run(sweep_of(40), tmp_path / "threads", workers=executor(pool, 3))
    assert chunks(tmp_path / "processes") == chunks(filled)
    assert chunks(tmp_path / "threads") == chunks(filled)


# --- going on -------------------------------------------------------------------------------------


def test_what_is_finished_is_not_computed_again(copied, monkeypatch):
    monkeypatch.setattr("legatee.sweep.block.simulate", None)
    here(sweep_of(40), copied)


def test_a_longer_axis_and_more_seeds_compute_the_new_cells_only(tmp_path, monkeypatch):
    counted = []

    def counting(settings, seeds, **options):
        counted.append(len(settings) * len(seeds))
        return simulate(settings, seeds, **options)

    monkeypatch.setattr("legatee.sweep.block.simulate", counting)
    here(sweep_of(2, d=(100, 1000)), tmp_path / "grown")
    here(sweep_of(2, d=(3000, 100, 300, 1000)), tmp_path / "grown")
    reordered = {"alpha": [0, 0.3, 0.7, 1], "d": D}  # in another order now
    last = Sweep(grid=Grid(base=SMALL, axes=reordered), seeds=tuple(range(5)))
    here(last, tmp_path / "grown")
    assert sum(counted) == last.cells == 4 * 4 * 5
    here(last, tmp_path / "whole")
    grown, whole = load(tmp_path / "grown"), load(tmp_path / "whole")
    for name in whole.drop_vars("status"):
        expected = whole[name].transpose(*grown[name].dims)
        np.testing.assert_allclose(grown[name], expected, rtol=1e-3, atol=1e-4, err_msg=name)


def test_what_was_not_finished_is_missing(copied):
    mark = sorted(copied.glob("part-000.zarr/done/c/*/*/*"))[0]
    unit = mark.relative_to(copied / "part-000.zarr" / "done" / "c")
    (copied / "part-000.zarr" / "status" / "c" / unit / "0").unlink()
    mark.unlink()  # as if it had been killed before its last two files
    found = load(copied)
    missing = (found["status"] == "missing").all("run")
    assert 0 < missing.sum() < missing.size
    assert (np.isnan(found["train_loss"]).all(("run", "step")) == missing).all()
    assert tally(copied)["missing"] == 3 * int(missing.sum())
    here(sweep_of(40), copied)
    assert "missing" not in tally(copied)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        (sweep_of(40, d=(100, 300, 1000)), ["d = 3000", "longer, not shorter"]),
        (sweep_of(39), ["seed = 39"]),
        (Sweep(grid=Grid(base=SMALL, axes={"d": D}), seeds=(0,)), ["alpha", "there, but not now"]),
        (replace(sweep_of(40), record_steps=[9]), ["record_steps is [] there and [9] now"]),
        (replace(sweep_of(40), dtype="float64"), ["dtype is 'float32' there and 'float64' now"]),
        (
            Sweep(grid=replace(sweep_of(1).grid, base=replace(SMALL, eta=0.5)), seeds=range(40)),
            ["eta is 1.0 there and 0.5 now"],
        ),
    ],
)
def test_another_sweep_is_refused_and_the_difference_named(filled, sweep, words):
    before = chunks(filled)
    said = refused(filled, sweep)
    assert all(word in said for word in words), said
    assert chunks(filled) == before


def test_another_version_is_refused(filled, monkeypatch):
    monkeypatch.setattr(declare, "version", lambda name: "9.9")
    said = refused(filled, sweep_of(40))
    assert "version is" in said
    assert "there and '9.9' now" in said


def test_a_read_only_place_is_said():
    assert "cannot write" in refused(Path("/proc/sweep"), sweep_of(1))


def test_a_full_disk_is_said_and_what_was_finished_stays(tmp_path, monkeypatch, small_files):
    monkeypatch.setattr(declare, "BLOCK_SECONDS", 0.001)
    here(sweep_of(2), tmp_path)  # in blocks that are small enough
    monkeypatch.setattr(declare, "BLOCK_SECONDS", 10)
    said = refused(tmp_path, sweep_of(400))
    assert "cannot write" in said
    assert "File too large" in said
    found = load(tmp_path)
    assert (found["status"].sel(seed=[0, 1]) == "done").all()
    assert (found["status"].sel(seed=slice(2, None)) == "missing").all()


# --- damage ---------------------------------------------------------------------------------------


def flip(path):
    found = bytearray(path.read_bytes())
    found[len(found) // 2] ^= 16
    path.write_bytes(found)


@pytest.mark.parametrize("name", ["noise", "status", "inherited_filters", "done"])
@pytest.mark.parametrize("harm", [flip, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_chunk_is_named_and_mended_on_request(filled, copied, name, harm):
    chunk = sorted(path for path in copied.glob(f"part-000.zarr/{name}/c/**/*") if path.is_file())[
        -1
    ]
    harm(chunk)
    if (name, harm) == ("done", Path.unlink):  # then it is as if the block had never been done
        here(sweep_of(40), copied)
        assert chunks(copied) == chunks(filled)
        return
    for reading in (load, tally):
        with pytest.raises(OutputError) as caught:
            reading(copied)
        for word in (f"'{name}' is damaged", "d = 3000", "alpha = ", "seed = ", "--repair"):
            assert word in str(caught.value)
    if name != "done":
        here(sweep_of(40), copied)  # nothing is mended unasked
        assert not chunk.exists() or chunks(copied) != chunks(filled)
    here(sweep_of(40), copied, repair=True)
    assert chunks(copied) == chunks(filled)


def garbled(path):
    path.write_text('{"zarr_format": 3, "node')


def other_identity(path, *, change=lambda identity: {"axes": 5, "seeds": "x", "block": []}):
    """Write another identity with a digest that fits, as somebody who knows the format may."""
    found = json.loads(path.read_text())
    attributes = found["attributes"]
    attributes["identity"] = json.dumps(change(json.loads(attributes["identity"])))
    attributes[DIGESTS] = digests(path.parent, attributes)
    path.write_text(json.dumps(found))


def empty_blocks(path):
    def change(identity):
        return identity | {"block": dict.fromkeys(identity["block"], 0)}

    other_identity(path, change=change)


@pytest.mark.parametrize("harm", [garbled, other_identity, empty_blocks, Path.unlink])
def test_a_garbled_store_is_one_sentence(copied, harm):
    harm(copied / "part-000.zarr" / "zarr.json")
    said = refused(copied, sweep_of(40))
    assert "part-000.zarr" in said
    with pytest.raises(OutputError, match=r"part-000\.zarr"):
        load(copied)


def test_a_garbled_array_is_one_sentence(copied):
    garbled(copied / "part-000.zarr" / "noise" / "zarr.json")
    assert "noise/zarr.json' is not what was written" in refused(copied, sweep_of(40))
    with pytest.raises(OutputError, match="delete this folder"):
        load(copied)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("zarr.json", "3000", "3001"),  # a value of an axis, which is written once more there
        ("zarr.json", r"u_norm\": 2.0", r"u_norm\": 3.0"),  # a field of every setting
        ("status/zarr.json", '"run"', '"ruf"'),
        ("test_accuracy/zarr.json", '"NaN"', '"0.0"'),
    ],
)
def test_a_changed_description_is_not_believed(copied, file, old, new):
    path = copied / "part-000.zarr" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    for reading in (load, tally):
        with pytest.raises(OutputError, match="is not what was written; delete this folder"):
            reading(copied)
    assert "is not what was written" in refused(copied, sweep_of(40), repair=True)


def test_too_many_open_files_are_no_damage(filled, copied):
    with no_more_files():
        said = refused(copied, sweep_of(40), repair=True)
        with pytest.raises(OutputError, match="Too many open files"):
            load(copied)
    assert "--repair" not in said
    assert chunks(copied) == chunks(filled)


def test_too_many_open_files_while_chunks_are_read_are_no_damage(copied, monkeypatch):
    with contextlib.ExitStack() as limits:

        def limited(*arguments):
            limits.enter_context(no_more_files())
            return cut_of(*arguments)

        monkeypatch.setattr(results_read, "cut_of", limited)
        with pytest.raises(OutputError, match="Too many open files") as caught:
            tally(copied)
    assert "--repair" not in str(caught.value)


def test_a_deleted_part_is_computed_again(copied):
    here(sweep_of(41), copied)
    shutil.rmtree(copied / "part-000.zarr")
    here(sweep_of(41), copied)
    assert list(tally(copied)) == ["done"]


def test_a_file_in_a_parts_place_and_an_empty_folder_are_said(tmp_path):
    with pytest.raises(OutputError, match="holds no sweep"):
        load(tmp_path)
    (tmp_path / "part-000.zarr").write_text("mine")
    assert "part-000.zarr" in refused(tmp_path, sweep_of(1))
    assert (tmp_path / "part-000.zarr").read_text() == "mine"


def test_a_worker_that_does_not_see_the_files_says_so_and_makes_none(tmp_path, monkeypatch):
    given = []
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(pool, "submit", lambda do, block: given.append(block) or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(sweep_of(1), tmp_path / "here", workers=executor(pool))
    (tmp_path / "here").rename(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="must see the same files"):
        compute(given[0])
    assert not (tmp_path / "here").exists()


def test_a_block_that_cannot_be_computed_is_named_and_others_are_kept(tmp_path):
    sweep = Sweep(grid=Grid(base=SMALL, axes={"sigma_0": [1e-30, 1e-4]}), seeds=(0,))
    smallest = replace(
        sweep,
        grid=Grid(
            base=replace(SMALL, upstream=replace(SMALL.upstream, sigma_p=1e-3)),
            axes=sweep.grid.axes,
        ),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(declare, "BLOCK_SECONDS", 1e-9)
        said = refused(tmp_path, smallest, LegateeError)
    assert said.startswith("1 of 2 blocks failed, such as 1 cells from sigma_0 = 1e-30, seed = 0")
    assert "too small to compute with" in said
    assert load(tmp_path)["status"].sel(sigma_0=1e-4, run="scratch") == "done"
