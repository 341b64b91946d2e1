"""`legatee advise`: its arms, its margin, its configuration file, and what it prints."""

import json

import pytest

from legatee.cli.arms import arms_of, score_margin
from legatee.errors import LegateeError, UnknownNameError
from legatee.methods import Inherit, LinearProbe
from legatee.models.build import build
from legatee.surgery.files.checkpoint import write_weights

DATA = "digits:classes=5-9,n=60,part=train"
HELD_OUT = "digits:classes=5-9,n=60,part=test"


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    path = tmp_path_factory.mktemp("upstream") / "weights.safetensors"
    write_weights(path, build("cnn:widths=8", num_classes=5, input_shape=(1, 8, 8), seed=3), {})
    return f"cnn:widths=8@{path}"


def ask(upstream, out, *more):
    words = ("--held-out", HELD_OUT, "--epochs", 1, "--seeds", 2, "--out", out)
    return ("advise", upstream, "cnn:widths=6", DATA, *words, *more)


def test_shares_and_methods_become_arms():
    arms = arms_of("1,0.3", ["inherit", "linear_probe"], {"rule": "first", "exclude": ("head",)})
    assert [arm.name for arm in arms] == ["all", "share 0.3", "linear probe"]
    assert arms[1].method == Inherit(alpha=0.3, rule="first", exclude="head")
    assert arms[2].method == LinearProbe(rule="first", exclude="head")
    assert [arm.name for arm in arms_of("0.5", ["linear_probe"], {})] == ["linear probe"]


@pytest.mark.parametrize("text", ["some", "0", "1.5", "-1", ""])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(LegateeError, match="--alpha holds"):
        arms_of(f"1,{text}", ["inherit"], {})


def test_an_unknown_method_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean linear_probe"):
        arms_of("1", ["linear-probe"], {})


def test_the_margin_is_in_percentage_points():
    assert score_margin(5, percent=True) == 0.05
    assert score_margin(0, percent=True) == 0
    assert score_margin(0.1, percent=True) == pytest.approx(0.001)
    assert score_margin(5, percent=False) == 5


@pytest.mark.parametrize("points", [0.01, 500, -1])
def test_a_margin_that_was_meant_otherwise_is_refused(points):
    with pytest.raises(LegateeError, match=r"--margin is .* percentage points; .*--margin 1\)"):
        score_margin(points, percent=True)


def test_json_stands_alone_on_standard_output(legatee_does, upstream, tmp_path):
    more = ("--method", "inherit", "--method", "linear_probe", "--alpha", "0.5", "--rule", "active")
    advice = json.loads(
        legatee_does(*ask(upstream, tmp_path / "a", *more, "--margin", 2, "--json"))
    )
    assert [arm["name"] for arm in advice["arms"]] == ["scratch", "half", "linear probe"]
    assert advice["arms"][1]["method"]["options"]["rule"] == "active"
    assert advice["margin"] == 0.02
    assert advice["train_counts"] == {str(digit): 12 for digit in range(5, 10)}
    assert advice["provenance"]["procedure"]["epochs"] == "1"


def test_verdict_and_table_are_in_points_and_classes_are_counted(legatee_does, upstream, tmp_path):
    shown = legatee_does(*ask(upstream, tmp_path / "a"))
    lines = shown.splitlines()
    assert lines[0].startswith("Verdict: ")
    assert any("trained on: 60 examples of 5 classes: 5 12, 6 12" in line for line in lines)
    assert any("held out: 60 examples of 5 classes" in line for line in lines)
    assert "score (%)" in shown
    assert "gain (points)" in shown


def test_parts_of_the_network_are_chosen_as_for_a_plan(legatee_does, upstream, tmp_path):
    more = ("--alpha", 1, "--exclude", "features.conv1b", "--class", "0=3", "--json")
    advice = json.loads(legatee_does(*ask(upstream, tmp_path / "a", *more)))
    options = advice["arms"][1]["method"]["options"]
    assert options["exclude"] == ["features.conv1b"]
    assert options["class_map"] == [[0, 3]]


def test_options_come_from_a_file_and_what_is_typed_wins(legatee_does, upstream, tmp_path):
    config = tmp_path / "advise.toml"
    config.write_text('epochs = 7\nalpha = "0.5"\nbatch-size = 20\nexclude = ["head"]\n')
    done = legatee_does(*ask(upstream, tmp_path / "a", "--config", config, "--json"))
    advice = json.loads(done)
    assert advice["provenance"]["procedure"]["epochs"] == "1"
    assert advice["provenance"]["procedure"]["batch_size"] == "20"
    assert [arm["name"] for arm in advice["arms"]] == ["scratch", "half"]
    assert advice["arms"][1]["method"]["options"]["exclude"] == ["head"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch = 7", "did you mean epochs"),
        ("config = 'x'", "unknown option"),
        ("epochs = ", "cannot read the options in"),
        (None, "No such file"),
    ],
)
def test_a_file_of_options_that_is_none_is_refused(legatee_does, upstream, tmp_path, text, words):
    config = tmp_path / "advise.toml"
    if text is not None:
        config.write_text(text)
    refusal = legatee_does(*ask(upstream, tmp_path / "a", "--config", config))
    assert refusal.startswith("legatee: ")
    assert words in refusal


def test_a_page_is_written_elsewhere_where_the_folder_is_read_only(
    legatee_does, upstream, tmp_path
):
    legatee_does(*ask(upstream, tmp_path / "a", "--json"))
    (tmp_path / "a" / "report.html").unlink()
    page = tmp_path / "page.html"
    assert legatee_does("report", tmp_path / "a", "--out", page).strip() == str(page)
    assert page.read_text().startswith("<!doctype html>")
    assert not (tmp_path / "a" / "report.html").exists()


def test_an_unfinished_race_is_called_so(legatee_does, upstream, tmp_path):
    legatee_does(*ask(upstream, tmp_path / "a", "--json"))
    (tmp_path / "a" / "advice.json").unlink()
    assert "trainings that are not finished" in legatee_does("report", tmp_path / "a")
