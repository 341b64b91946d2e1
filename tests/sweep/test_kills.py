"""Sweeps as real processes, killed, interrupted and doubled: the same bits in the end."""

import random
import signal
import time

import pytest
from sweep_cases import (
    alive,
    chunks,
    command,
    kill,
    marks,
    result,
    sweep_of,
    toml,
    undisturbed,
    until_more_is_done,
)

from legatee.sweep.read import load

SEEDS = 150  # 1,800 cells: some 18 blocks


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Every chunk of the sweep when nothing happens to it."""
    with pytest.MonkeyPatch.context() as patch:
        return undisturbed(sweep_of(SEEDS), tmp_path_factory.mktemp("undisturbed"), patch)


@pytest.fixture
def place(tmp_path):
    """The sweep's file and its folder to be."""
    return toml(tmp_path / "grid.toml", SEEDS), tmp_path / "grid"


def gone(workers):
    deadline = time.monotonic() + 60
    while any(map(alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_again_and_again_it_ends_with_the_same_bits(expected, place):
    file, folder = place
    moments, killed, finished = random.Random(0), 0, 0
    for group in (True, False, False):
        process = command(file, "--workers", 1)
        if not until_more_is_done(folder, process):
            break
        time.sleep(moments.uniform(0, 0.3))
        killed += process.poll() is None
        gone(kill(process, group))
        assert marks(folder) > finished  # nothing that was finished is lost
        finished = marks(folder)
    assert killed >= 2
    assert set(result(command(file, "--workers", 1))["statuses"]) <= {"done", "not_converged"}
    assert chunks(folder) == expected


def test_two_at_once_share_the_work_and_do_not_disturb_each_other(expected, place):
    file, folder = place
    both = [command(file, "--workers", 1), command(file, "--workers", 1)]
    assert result(both[0]) == result(both[1])
    assert [path.name for path in folder.iterdir()] == ["part-000.zarr"]
    assert chunks(folder) == expected


def test_ctrl_c_keeps_what_is_finished_and_says_one_line(place):
    file, folder = place
    process = command(file, "--workers", 1)
    assert until_more_is_done(folder, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert (out, err.splitlines()[-1:]) == (
        "",
        ["legatee: interrupted; what was finished is kept, the same command goes on"],
    )
    assert "Traceback" not in err
    status = load(folder)["status"]
    assert 0 < (status != "missing").sum() < status.size
