import os
import shutil
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from legatee.errors import OutputError
from legatee.results import Layout, Store, Variable, load

LAYOUT = Layout(
    coords={"arm": ["scratch", "all"], "seed": [4, 9, 11], "item": list(range(7)), "epoch": []},
    block={"arm": 1, "seed": 2},
    variables={
        "score": Variable(dims=("arm", "seed", "item"), dtype="float32", units="1", about="score"),
        "loss": Variable(
            dims=("arm", "seed", "epoch"), dtype="float32", units="nats", about="loss"
        ),
        "seconds": Variable(dims=("arm", "seed"), dtype="float64", units="s", about="time"),
    },
    identity={"data": "abc", "arms": ["scratch", "all"]},
    provenance={"command": "a test"},
)


def values(rng, seeds):
    return {
        "score": rng.random((1, seeds, 7)),
        "loss": np.zeros((1, seeds, 0)),
        "seconds": rng.random((1, seeds)),
    }


def test_what_is_written_is_what_is_read(tmp_path):
    store, rng = Store(tmp_path / "runs.zarr", LAYOUT), np.random.default_rng(0)
    wide, edge = values(rng, 2), values(rng, 1)  # three seeds in blocks of two: the last is short
    store.write({"arm": 1, "seed": 0}, wide)
    store.write({"arm": 0, "seed": 1}, edge)
    found = load(tmp_path / "runs.zarr")
    np.testing.assert_array_equal(
        found["score"].sel(arm="all", seed=[4, 9]), wide["score"][0].astype("float32")
    )
    assert found["seconds"].sel(arm="scratch", seed=11) == edge["seconds"][0, 0]
    assert np.isnan(found["score"].sel(arm="all", seed=11)).all()
    assert found["score"].attrs["units"] == "1"
    assert found.attrs["command"] == "a test"


def test_pending_are_the_units_not_written(tmp_path):
    store = Store(tmp_path / "runs.zarr", LAYOUT)
    store.write({"arm": 1, "seed": 0}, values(np.random.default_rng(0), 2))
    again = Store(tmp_path / "runs.zarr", LAYOUT)
    assert again.pending() == [
        {"arm": 0, "seed": 0},
        {"arm": 0, "seed": 1},
        {"arm": 1, "seed": 1},
    ]


def test_another_run_is_not_continued_and_the_difference_is_named(tmp_path):
    Store(tmp_path / "runs.zarr", LAYOUT)
    other = replace(LAYOUT, identity={"data": "abd", "arms": ["scratch", "all"]})
    with pytest.raises(OutputError, match="data is 'abc' there and 'abd' now"):
        Store(tmp_path / "runs.zarr", other)


@pytest.mark.parametrize("thing", ["file", "folder"])
def test_what_is_no_store_is_left_alone(tmp_path, thing):
    place = tmp_path / "runs.zarr"
    if thing == "file":
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "mine").write_text("mine")
    with pytest.raises(OutputError, match=r"runs\.zarr"):
        Store(place, LAYOUT)
    assert (place if thing == "file" else place / "mine").read_text() == "mine"


def test_a_flipped_bit_is_an_error_not_a_result(tmp_path):
    store = Store(tmp_path / "runs.zarr", LAYOUT)
    store.write({"arm": 0, "seed": 0}, values(np.random.default_rng(0), 2))
    chunk = tmp_path / "runs.zarr" / "score" / "c" / "0" / "0" / "0"
    damaged = bytearray(chunk.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    chunk.write_bytes(damaged)
    with pytest.raises(OutputError, match=r"cannot read the results at .*runs\.zarr") as caught:
        load(tmp_path / "runs.zarr")
    assert "'score' is damaged at arm = scratch, seed = 4 to 9" in str(caught.value)
    assert list(store.damaged()) == [{"arm": 0, "seed": 0}]
    store.forget({"arm": 0, "seed": 0})
    assert store.pending()[0] == {"arm": 0, "seed": 0}
    assert list(store.damaged()) == []


@pytest.mark.parametrize("unit", [{"arm": 0, "seed": 0}, {"arm": 1, "seed": 1}])
def test_a_chunk_that_is_gone_is_an_error_even_where_nothing_was_measured(tmp_path, unit):
    store = Store(tmp_path / "runs.zarr", LAYOUT)
    seeds = 2 - unit["seed"]
    nothing = {"score": np.full((1, seeds, 7), np.nan), "loss": np.zeros((1, seeds, 0))}
    store.write(unit, nothing | {"seconds": np.zeros((1, seeds))})
    assert load(tmp_path / "runs.zarr")["score"].isnull().all()
    place = tmp_path / "runs.zarr" / "score" / "c" / str(unit["arm"]) / str(unit["seed"]) / "0"
    place.unlink()
    with pytest.raises(OutputError, match=r"'score' is damaged at .*: its file is missing"):
        load(tmp_path / "runs.zarr")
    store.write(unit, nothing | {"seconds": np.zeros((1, seeds))})
    assert place.exists()


def test_some_variables_are_read_alone(tmp_path):
    Store(tmp_path / "runs.zarr", LAYOUT)
    assert list(load(tmp_path / "runs.zarr", ["seconds"])) == ["seconds"]


def test_a_variable_that_several_units_would_write_to_is_our_mistake():
    shared = Variable(dims=("arm", "item"), dtype="float32", units="1", about="")
    with pytest.raises(AssertionError, match="shared must vary along"):
        replace(LAYOUT, variables={"shared": shared})


def test_of_two_that_lay_a_store_out_at_once_one_wins_and_both_go_on(tmp_path):
    layouts = [LAYOUT] * 4
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(partial(Store, tmp_path / "runs.zarr"), layouts))
    assert [path.name for path in tmp_path.iterdir()] == ["runs.zarr"]
    rng = np.random.default_rng(0)
    for store, unit in zip(stores, stores[0].pending(), strict=True):
        store.write(unit, values(rng, 2 - unit["seed"]))
    assert not any(store.pending() for store in stores)


def test_killed_while_it_is_laid_out_there_is_no_store_or_a_whole_one(tmp_path):
    script = textwrap.dedent(
        """
        import itertools, sys
        from legatee.results import Layout, Store, Variable
        variables = {f"x{n}": Variable(dims=("unit",), dtype="float64", units="1", about="")
                     for n in range(10)}
        layout = Layout(coords={"unit": [0, 1]}, block={"unit": 1}, identity={"a": 1},
                        variables=variables)
        for n in itertools.count():
            Store(f"{sys.argv[1]}/{n}.zarr", layout)
            print("laid out", flush=True)
        """
    )
    for delay in np.random.default_rng(0).uniform(0.05, 0.3, 3):
        writer = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        writer.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(delay)
        writer.kill()
        writer.communicate()
        made = list(tmp_path.glob("[0-9]*.zarr"))
        assert made
        for path in made:
            assert len(load(path)) == 11
            shutil.rmtree(path)


def test_a_missing_store_is_named(tmp_path):
    with pytest.raises(OutputError, match="nowhere"):
        load(tmp_path / "nowhere")


def test_killed_at_any_moment_nothing_done_is_lost_and_nothing_half_written_counts(tmp_path):
    """A writer is killed while it writes, again and again; what is done then is whole."""
    script = textwrap.dedent(
        """
        import sys, numpy as np
        from legatee.results import Layout, Store, Variable
        layout = Layout(coords={"unit": list(range(200)), "item": list(range(5000))},
                        block={"unit": 1}, identity={"a": 1}, variables={
                        "x": Variable(dims=("unit", "item"), dtype="float64", units="1", about=""),
                        "y": Variable(dims=("unit", "item"), dtype="float64", units="1", about="")})
        store = Store(sys.argv[1], layout)
        print("ready", flush=True)
        for unit in store.pending():
            n = unit["unit"]
            store.write(unit, {"x": np.full(5000, n), "y": np.full(5000, -n)})
        """
    )
    place, done_before = tmp_path / "runs.zarr", 0
    delays = np.random.default_rng(0).uniform(0.02, 0.25, 4)
    for delay in delays:
        writer = subprocess.Popen(
            [sys.executable, "-c", script, str(place)], stdout=subprocess.PIPE, text=True
        )
        writer.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(delay)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        found = load(place)
        finished = np.flatnonzero(found["done"].values)
        assert len(finished) >= done_before
        done_before = len(finished)
        for n in finished:
            assert (found["x"][n] == n).all()
            assert (found["y"][n] == -n).all()
    assert 0 < done_before < 200
