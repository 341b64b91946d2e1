import os
import resource
import signal
import subprocess
import sys

import pytest

from legatee.disk import replacing, writable_folder, write_text
from legatee.errors import OutputError


def names_in(folder):
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def small_files():
    """A real limit of the operating system: no file may grow beyond 4 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_appears_whole_in_a_folder_made_for_it(tmp_path):
    write_text(tmp_path / "new" / "note.txt", "μ\n")
    assert (tmp_path / "new" / "note.txt").read_bytes() == "μ\n".encode()


def test_what_was_there_stays_when_there_is_no_room(tmp_path, small_files):
    note = tmp_path / "note.txt"
    write_text(note, "old")
    with pytest.raises(OutputError, match=r"cannot write '.*note\.txt': File too large"):
        write_text(note, "x" * 10_000)
    assert note.read_text() == "old"
    assert names_in(tmp_path) == ["note.txt"]


def test_what_was_there_stays_when_the_writer_fails(tmp_path):
    note = tmp_path / "note.txt"
    write_text(note, "old")

    def write_half():
        with replacing(note) as beside:
            beside.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert note.read_text() == "old"
    assert names_in(tmp_path) == ["note.txt"]


def test_killed_while_writing_it_leaves_what_was_there(tmp_path):
    note = tmp_path / "note.txt"
    write_text(note, "old")
    script = (
        "import sys, time\nfrom legatee.disk import replacing\n"
        "with replacing(sys.argv[1]) as beside:\n"
        "    beside.write_text('half'); print('writing', flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(note)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"writing\n"
        os.kill(writer.pid, signal.SIGKILL)
    assert note.read_text() == "old"


def test_a_file_where_a_folder_should_be_is_said(tmp_path):
    (tmp_path / "file").write_text("mine")
    for attempt in (
        lambda: write_text(tmp_path / "file" / "note.txt", "x"),
        lambda: writable_folder(tmp_path / "file"),
    ):
        with pytest.raises(OutputError, match="cannot write"):
            attempt()
    assert (tmp_path / "file").read_text() == "mine"


def test_a_probed_folder_is_left_empty(tmp_path):
    assert names_in(writable_folder(tmp_path / "out")) == []


def test_the_files_mode_is_what_a_plain_write_gives(tmp_path):
    (tmp_path / "plain").write_text("x")
    write_text(tmp_path / "ours", "x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode
