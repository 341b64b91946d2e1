import json
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

import legatee
from legatee.models.build import build
from legatee.results import load
from legatee.surgery.files.checkpoint import read_metadata, write_weights

SHAPE = "1,8,8"
DEADLINE = 120  # of anything that a test waits for [s]
DATA = "digits:classes=5-9,n=60,part=train"
HELD_OUT = "digits:classes=5-9,n=60,part=test"
WORLD = ("predict", "simulate", "sweep", "reproduce")
COMMANDS = ("demo", "advise", "report", "catalog", "plan", "inherit", "verify", *WORLD)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    path = tmp_path_factory.mktemp("upstream") / "weights.safetensors"
    write_weights(path, build("cnn:widths=8", num_classes=5, input_shape=(1, 8, 8), seed=3), {})
    return f"cnn:widths=8@{path}"


def ask(upstream, out, *more):
    words = ("--held-out", HELD_OUT, "--epochs", 1, "--seeds", 2, "--out", out)
    return ("advise", upstream, "cnn:widths=6", DATA, *words, *more)


def run(*words):
    return subprocess.run(
        [sys.executable, "-m", "legatee", *map(str, words)], capture_output=True, text=True
    )


def test_help_does_not_import_torch():
    script = (
        "import sys, legatee.cli\n"
        "try: legatee.cli.app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'timm', 'torchvision', 'xarray', 'numpy'}\n"
        "print('loaded:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.endswith("loaded: []\n")
    for command in COMMANDS:
        assert command in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(legatee_does, command):
    assert f"Example: legatee {command}" in " ".join(legatee_does(command, "--help").split())


def test_the_exit_code_is_0_when_done_1_when_refused_2_when_misused():
    assert run("--version").returncode == 0
    refused = run("report", "nowhere")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.count("\n") == 1
    assert refused.stderr.startswith("legatee: no folder 'nowhere': no such file or folder")
    assert run("plan").returncode == 2


def test_the_version_is_the_packages(legatee_does):
    assert legatee_does("--version") == f"{legatee.__version__}\n"


def test_from_advice_to_an_initialised_network(legatee_does, upstream, tmp_path):
    advice = json.loads(legatee_does(*ask(upstream, tmp_path / "advice", "--json")))
    assert [arm["name"] for arm in advice["arms"]] == ["scratch", "all", "half", "quarter"]
    assert (tmp_path / "advice" / "report.html").exists()
    plan = tmp_path / "plan.json"
    words = ("--classes", 5, "--shape", SHAPE)
    shown = legatee_does("plan", upstream, "cnn:widths=6", *words, "--out", plan)
    assert "features  100%  <- same name, 12 tensors" in shown
    start = tmp_path / "start.safetensors"
    more = (*words, "--seed", 9, "--out", start)
    told = legatee_does("inherit", plan, upstream, "cnn:widths=6", *more)
    # 6 * 9 + 6 * 6 * 9 weights, two norms of 4 * 6 + 1, and 6 * 5 + 5 of the head, kept fresh
    assert told.startswith("92.4% of 463 elements")
    given, got = load_file(upstream.partition("@")[2]), load_file(start)
    name = "features.conv1b.weight"
    kept = [0, 1, 3, 4, 6, 7]  # round(linspace(0, 7, 6))
    assert got[name].equal(given[name][kept][:, kept])
    fresh = build("cnn:widths=6", num_classes=5, input_shape=(1, 8, 8), seed=9)
    assert got["head.weight"].equal(fresh.head.weight)
    assert read_metadata(start)["model"] == "cnn:widths=6"


def test_a_finished_run_is_not_run_again_and_its_page_is_written_again(
    legatee_does, upstream, tmp_path
):
    first = legatee_does(*ask(upstream, tmp_path, "--json"))
    (tmp_path / "report.html").unlink()
    assert (
        json.loads(legatee_does(*ask(upstream, tmp_path, "--json")))["arms"]
        == json.loads(first)["arms"]
    )
    assert legatee_does("report", tmp_path).strip() == str(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("model", ["resnet:depth=8,width=4", "torchvision:squeezenet1_1"])
def test_classes_and_channels_are_read_off_our_own_files(legatee_does, tmp_path, model):
    channels = 1 if model.startswith("resnet") else 3
    network = build(model, num_classes=7, input_shape=(channels, 64, 64), seed=3)
    write_weights(tmp_path / "w.safetensors", network, {})
    words = ("--classes", 7, "--shape", f"{channels},64,64", "--json")
    plan = json.loads(legatee_does("plan", f"{model}@{tmp_path / 'w.safetensors'}", model, *words))
    assert [entry for entry in plan["entries"] if "reason" in entry] == []


def test_ctrl_c_says_what_is_kept_and_the_same_command_resumes(upstream, tmp_path):
    words = [str(w) for w in ask(upstream, tmp_path / "a", "--workers", 2, "--json")]
    words[words.index("--seeds") + 1] = "30"
    command = [sys.executable, "-m", "legatee", *words]
    marks = tmp_path / "a" / "runs" / "part-000.zarr" / "done" / "c"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        end = time.monotonic() + DEADLINE
        while not marks.exists():
            assert running.poll() is None, "it ended by itself"
            assert time.monotonic() < end, f"nothing was finished within {DEADLINE} s"
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        messages = running.communicate(timeout=DEADLINE)[1]
    assert running.returncode == 130
    assert messages.splitlines()[-1].startswith("legatee: interrupted; finished work is kept")
    assert int(load(marks.parents[1])["done"].sum()) > 0
    words[words.index("--workers") + 1] = "1"
    assert len(json.loads(run(*words).stdout)["seeds"]) == 30


def test_the_record_says_what_was_typed(legatee_does, upstream, tmp_path):
    advice = json.loads(legatee_does(*ask(upstream, tmp_path / "a", "--json")))
    assert advice["provenance"]["command"].startswith("legatee advise cnn:widths=8@")
    assert advice["provenance"]["data"] == DATA


REFUSED = {
    "a misspelt model": (("plan", "torchvision:resnet81", "cnn"), "did you mean resnet18"),
    "a misspelt kind of model": (("plan", "touchvision:resnet18", "cnn"), "torchvision"),
    "alpha outside its range": (("plan", "cnn", "cnn", "--alpha", 2), "alpha=2.0"),
    "a misspelt rule": (("plan", "cnn", "cnn", "--rule", "unifrom"), "did you mean uniform"),
    "a shape of two numbers": (("plan", "cnn", "cnn", "--shape", "3,8"), "shape is '3,8'"),
    "a match without a source": (("plan", "cnn", "cnn", "--match", "head"), "TARGET=SOURCE"),
    "a match of nothing": (("plan", "cnn", "cnn", "--match", "tail=head"), "not in the target"),
    "a plan that is none": (("inherit", "{file}", "cnn", "cnn", "--out", "{new}"), "transfer plan"),
    "a plan that is missing": (("inherit", "{new}", "cnn", "cnn", "--out", "{new}2"), "{new}"),
    "an output that exists": (("inherit", "{file}", "cnn", "cnn", "--out", "{file}"), "exists"),
    "a source without weights": (("advise", "cnn", "cnn", DATA), "no weights to inherit"),
    "weights that are missing": (("advise", "cnn@{new}", "cnn", DATA), "no such file or folder"),
    "weights that are none": (("advise", "cnn@{file}", "cnn", DATA), "nothing is executed"),
    "misspelt data": (("advise", "{upstream}", "cnn", "digit:n=50"), "did you mean digits"),
    "a folder without classes": (("advise", "{upstream}", "cnn", "folder:{dir}"), "no classes"),
    "a target with weights": (("advise", "{upstream}", "{upstream}", DATA), "starts a fresh one"),
    "one seed": (("advise", "{upstream}", "cnn", DATA, "--seeds", 1), "at least two"),
    "no such share": (("advise", "{upstream}", "cnn", DATA, "--alpha", "1,some"), "'some'"),
    "no such device": (("advise", "{upstream}", "cnn", DATA, "--device", "cudda"), "'cudda'"),
    "an output that is a file": (("demo", "--out", "{file}"), "{file}"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_in_one_sentence(name, legatee_does, upstream, tmp_path):
    words, expected = REFUSED[name]
    (tmp_path / "file").write_text("not what you think")
    (tmp_path / "dir").mkdir()
    places = {"file": tmp_path / "file", "new": tmp_path / "new", "dir": tmp_path / "dir"}
    places["upstream"] = upstream
    words = [str(word).format(**places) for word in words]
    if words[0] == "advise":
        words += ["--out", str(tmp_path / "advice")]
    refusal = legatee_does(*words)
    assert isinstance(refusal, str), "it was not refused"
    assert refusal.startswith("legatee: ")
    assert "\n" not in refusal
    assert expected.format(**places) in refusal
    assert (tmp_path / "file").read_text() == "not what you think"
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "advice").exists()
