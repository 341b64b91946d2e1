import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from legatee.disk import folder_beside, path_status, replacing, writable_folder, write_text
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


# --- what a killed process leaves -----------------------------------------------------------------

HOLD = (
    "import sys, time\nfrom legatee.disk import replacing\n"
    "with replacing(sys.argv[1]) as beside:\n"
    "    beside.write_text('half'); print(beside.name, flush=True); time.sleep(60)\n"
)


@pytest.fixture
def writer(tmp_path):
    """A process that is in the middle of writing ``big.bin``, and the name it writes to."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "big.bin")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_killed_process_left_is_deleted_by_the_next_that_writes_there(tmp_path, writer, how):
    process, name = writer
    process.send_signal(how)
    process.wait(timeout=30)
    assert names_in(tmp_path) == [name]
    write_text(tmp_path / "note.txt", "of another name")
    assert names_in(tmp_path) == ["note.txt"]


def test_a_folder_that_a_killed_process_left_is_deleted_and_that_of_a_living_one_is_not(tmp_path):
    script = (
        "import sys, time\nfrom legatee.disk import folder_beside\n"
        "with folder_beside(sys.argv[1]) as folder:\n"
        "    (folder / 'deep').mkdir()\n    (folder / 'deep' / 'file').touch()\n"
        "    print(folder.name, flush=True)\n    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "part.zarr")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        name = process.stdout.readline().strip()
        write_text(tmp_path / "note.txt", "while it lives")
        assert sorted(names_in(tmp_path)) == sorted([name, "note.txt"])
        process.kill()
    with folder_beside(tmp_path / "another") as folder:
        assert sorted(names_in(tmp_path)) == sorted([folder.name, "note.txt"])
        folder.rename(tmp_path / "another")
    assert sorted(names_in(tmp_path)) == ["another", "note.txt"]
    (tmp_path / "plain").mkdir()  # with the permissions that the user's mask gives
    modes = [(tmp_path / name).stat().st_mode for name in ("another", "plain")]
    assert modes[0] == modes[1]


def test_what_a_living_process_writes_is_left(tmp_path, writer):
    process, name = writer
    write_text(tmp_path / "note.txt", "x")
    write_text(tmp_path / "big.bin", "the same name")
    assert sorted(names_in(tmp_path)) == sorted([name, "note.txt", "big.bin"])
    assert process.poll() is None


def test_a_second_writer_in_the_same_process_is_left_alone(tmp_path):
    with replacing(tmp_path / "a") as outer:
        outer.write_text("outer")
        write_text(tmp_path / "b", "inner")
    assert (tmp_path / "a").read_text() == "outer"
    assert sorted(names_in(tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("name", [".note.txt.abc", "a.legatee-tmp-b", ".git"])
def test_files_of_others_are_left(tmp_path, name):
    (tmp_path / name).write_text("mine")
    write_text(tmp_path / "note.txt", "x")
    assert (tmp_path / name).read_text() == "mine"


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path):
    name = "é" * 127  # 254 bytes of 255
    write_text(tmp_path / name, "x")
    assert names_in(tmp_path) == [name]


def test_many_writers_of_one_file_do_not_sweep_each_other_away(tmp_path):
    script = (
        "import sys\nfrom legatee.disk import write_text\n"
        "for turn in range(60): write_text(sys.argv[1], sys.argv[2] * 9)\n"
    )
    note = str(tmp_path / "note.txt")
    runs = [subprocess.Popen([sys.executable, "-c", script, note, who]) for who in "abc"]
    assert [run.wait(timeout=120) for run in runs] == [0, 0, 0]
    assert names_in(tmp_path) == ["note.txt"]
    assert (tmp_path / "note.txt").read_text() in {"a" * 9, "b" * 9, "c" * 9}


# --- what is at a path ----------------------------------------------------------------------------


def test_what_is_at_a_path(tmp_path):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "lost").symlink_to("nowhere")
    seen = {}
    for name in ("file", ".", "pipe", "lost", "missing", "file/below"):
        status = path_status(tmp_path / name)
        seen[name] = (status.is_file, status.is_folder, status.exists, status.problem)
    none = (False, False, False, "no such file or folder")
    assert seen == {
        "file": (True, False, True, ""),
        ".": (False, True, True, ""),
        "pipe": (False, False, True, ""),
        "lost": none,
        "missing": none,
        "file/below": none,
    }


@pytest.mark.parametrize(
    ("path", "problem"), [("a" * 300, "File name too long"), ("a\0b", "embedded null byte")]
)
def test_a_path_that_cannot_be_is_a_problem_and_no_exception(path, problem):
    assert path_status(path).problem == problem
    assert not path_status(path).exists


def test_a_folder_that_may_not_be_searched_is_a_problem_and_no_exception():
    shut = Path(tempfile.mkdtemp())
    (shut / "file").touch()
    shut.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # nobody: root may search everywhere
    try:
        assert path_status(shut / "file").problem == "Permission denied"
    finally:
        os.seteuid(user)
        shutil.rmtree(shut)
