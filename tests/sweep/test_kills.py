"""Sweeps as real processes, killed, interrupted and doubled: the same bits in the end."""

import random
import signal
import time

from sweep_cases import (
    chunks,
    command,
    here,
    kill,
    marks,
    result,
    sweep_of,
    toml,
    undisturbed,
    until_more_is_done,
)

from legatee.sweep.read import load, tally
from process_tree import alive

SEEDS = 240  # 2,880 cells: some 25 blocks


def gone(workers):
    deadline = time.monotonic() + 60
    while any(map(alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_interrupted_killed_orphaned_and_doubled_it_ends_with_the_same_bits(tmp_path, monkeypatch):
    expected = undisturbed(sweep_of(SEEDS), tmp_path / "undisturbed", monkeypatch)
    file, folder = toml(tmp_path / "grid.toml", SEEDS), tmp_path / "grid"
    moments, finished = random.Random(0), 0

    def go_on():
        nonlocal finished
        process = command(file, "--workers", 1)
        assert until_more_is_done(folder, process, 2)
        assert marks(folder) > finished  # nothing that was finished is lost
        finished = marks(folder)
        time.sleep(moments.uniform(0, 0.2))
        assert process.poll() is None
        return process

    interrupted = go_on()
    interrupted.send_signal(signal.SIGINT)
    out, err = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130
    assert out == ""
    # A slow machine may have had the time for a line of progress before it.
    last = err.splitlines()[-1]
    assert last == "legatee: interrupted; finished work is kept, and the same command resumes it"
    assert "Traceback" not in err
    status = load(folder)["status"]
    assert 0 < (status != "missing").sum() < status.size

    gone(kill(go_on(), group=True))
    gone(kill(go_on(), group=False))

    other = go_on()
    here(sweep_of(SEEDS), folder)  # while the other one is at it, too
    assert result(other)["statuses"] == tally(folder)
    assert [path.name for path in folder.glob("part*")] == ["part-000.zarr"]
    assert chunks(folder) == expected
