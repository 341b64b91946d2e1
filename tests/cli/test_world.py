"""``legatee predict`` and ``legatee simulate`` as a user types them."""

import math
import os
import subprocess
import sys

import pytest
from world_cases import TOML, WRITTEN, on_a_terminal, prints, strict

from legatee import Setting, predict, simulate
from legatee.theory.conditions import condition_4_1
from legatee.theory.consequences import WORDS, best_alpha, crossover, limiting_factor
from legatee.world.quantity import QUANTITIES
from legatee.world.setting import EXAMPLE, FIELDS, fields

COMMANDS = pytest.mark.parametrize("command", ["predict", "simulate"])
SMALL = ("upstream.n=40", "steps=20", "d=600")
DIVERGING = (*SMALL, "steps=1", "eta=1e5", "downstream.sigma_p=5")


def rows(text):
    """The cells of every row of the tables."""
    lines = [line.split("│")[1:-1] for line in text.splitlines() if line.startswith("│")]
    return [tuple(cell.strip() for cell in line) for line in lines]


def percent(cell):
    return float(cell.split("%")[0].split("±")[0]) / 100


# --- predict --------------------------------------------------------------------------------------


def test_the_example_is_predicted_as_from_python():
    out, expected = prints("predict"), predict(EXAMPLE)
    assert out.startswith("The example setting:\n")
    shown = {row[0]: row[1:] for row in rows(out)}
    for network in ("scratch", "zero_shot", "inherited"):
        accuracy, spread = shown[network.replace("_", "-")]
        assert percent(accuracy) == pytest.approx(getattr(expected, network), abs=6e-4)
        points = 100 * getattr(expected, f"{network}_spread")
        assert float(spread.removesuffix(" points")) == pytest.approx(points, abs=0.06)
    assert f"Inherit. Gain {100 * expected.gain:+.1f}" in out
    assert f"Best inheritance ratio: {best_alpha(EXAMPLE):g}, which" in out
    assert f"Limiting factor: {WORDS[limiting_factor(EXAMPLE)]}." in out
    assert f"scratch needs {crossover(EXAMPLE):,} downstream samples; this setting has 40." in out


def test_the_papers_results_are_shown_beside():
    out = prints("predict")
    # by hand: Gamma = 2 and 1.28 of its own; alpha N_1 / N_2 = 12.5 against |u + v_2|^2 / |u|^2
    shown = {row[0]: row[2:] for row in rows(out) if len(row) == 6}
    assert shown["Theorem 4.2"] == ("3.28", "1", "+0.52 decades", "yes")
    assert shown["Theorem 4.3"] == ("1.28", "1", "+0.11 decades", "yes")
    assert shown["Prop. 4.4 (1)"] == ("12.5", "2", "+0.80 decades", "yes")
    assert shown["Prop. 4.4 (2)"] == ("2", "12.5", "-0.80 decades", "no")
    assert "Condition 4.1: 6 of 10 inequalities hold" in out
    assert "Regime: feature learning" in out


def test_negative_transfer_is_called_by_its_name():
    out = prints("predict", "u_norm=0", "upstream.n=100")
    assert out.startswith("The example setting with u_norm=0.0 upstream.n=100:\n")
    assert ": Train from scratch: inheriting would hurt (negative transfer). Gain -" in out
    assert "To be as accurate" not in out


def test_what_scratch_cannot_catch_up_with_is_said():
    # downstream all is noise, and the theory ends at about as many samples as dimensions
    words = ("d=1700", "alpha=1", "upstream.v_norm=0", "downstream.v_norm=0")
    out = prints("predict", *words, "downstream.sigma_p=4")
    assert "scratch needs more than the theory covers; this setting has 40." in out


def test_a_prediction_is_json_for_machines():
    shown, expected = (
        strict(prints("predict", "alpha=1", "--json")),
        predict(
            Setting.of({k: v for k, v in fields(EXAMPLE).items() if v is not None} | {"alpha": 1})
        ),
    )
    more = {"best_alpha": best_alpha(expected.setting), "crossover": crossover(expected.setting)}
    more |= {"limiting_factor": limiting_factor(expected.setting).value}
    assert shown == strict(expected.to_json()) | more


def test_a_setting_outside_of_the_theory_is_no_failure():
    out = prints("predict", "label_noise=0.1", "upstream.n=4")
    first, *rest = out.splitlines()[1:]
    assert first == "No prediction: the theory does not cover this setting."
    assert rest[0].strip().startswith("label_noise is 0.1")
    assert rest[1].strip().startswith("upstream.n is 4")
    assert "Theorem 4.2" in out  # which claims something of any setting
    shown = strict(prints("predict", "label_noise=0.1", "upstream.n=4", "--json"))
    assert (shown["verdict"], shown["scratch"]) == ("unknown", None)
    assert len(shown["outside"]) == 2


def test_fields_are_listed_with_what_they_may_be():
    shown = {row[0]: row[1:] for row in rows(prints("predict", "--fields"))}
    assert tuple(shown) == FIELDS
    for name, value in fields(EXAMPLE).items():
        example, _, values = shown[name]
        if value is None:
            assert example == "the setting's"
        elif name in QUANTITIES:
            assert float(example) == value
            assert values == QUANTITIES[name].range
    assert shown["inherit"] == (
        "random",
        "which filters",
        "random, selected or active",
    )


def test_fields_are_json_for_machines():
    listed = strict(prints("predict", "--fields", "--json"))
    assert [field["field"] for field in listed] == list(FIELDS)
    assert listed[0] == {
        "field": "d",
        "example": 2000,
        "about": "patch dimension; u, v1 and v2 need three",
        "values": "a whole number from 3 to 1e+15",
        "units": "count",
    }


@pytest.mark.parametrize("columns", ["60", "80"])
def test_names_of_fields_are_never_cut(columns):
    out = on_a_terminal("predict", "--fields", columns=columns)
    words = out.replace("│", " ").split()
    assert set(FIELDS) <= set(words)
    assert max(map(len, out.splitlines())) <= int(columns)


def test_nothing_is_wrapped_where_there_is_no_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    out = prints("predict", "label_noise=0.1", "upstream.n=4", "downstream.n=3")
    reasons = [line for line in out.splitlines() if line.startswith("  ")]
    assert len(reasons) == 3
    assert all("the theory is for" in line for line in reasons)
    assert not any(line.endswith(" ") for line in out.splitlines())


def test_that_it_compiles_is_said_on_stderr_once(tmp_path):
    own = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "legatee", "simulate", *SMALL, "steps=2", "--seeds", "1"]
    first, second = (
        subprocess.run(command, capture_output=True, text=True, env=own) for _ in range(2)
    )
    assert first.returncode == second.returncode == 0
    assert first.stderr == (
        "legatee: compiling, once on a machine; this takes about half a minute ...\n"
    )
    assert second.stderr == ""
    assert first.stdout == second.stdout


# --- simulate -------------------------------------------------------------------------------------


def test_a_simulation_shows_what_python_measures():
    out = prints("simulate", *SMALL, "--seeds", 3, "--record-steps", 7)
    assert "upstream.n=40" in out.splitlines()[0]
    own = {"d": 600, "steps": 20, "upstream.n": 40}
    known = {k: v for k, v in fields(EXAMPLE).items() if v is not None}
    found = simulate(Setting.of(known | own), 3, record_steps=[7]).isel(setting=0)
    shown = rows(out)
    assert len(shown) == 9
    assert [row[0] for row in shown[::3]] == ["upstream", "scratch", "inherited"]
    for row, k in zip(shown, range(9), strict=True):
        at = found.isel(run=k // 3, step=k % 3)
        test = at["test_accuracy"].values
        assert int(row[1]) == int(at["step_number"])
        assert float(row[2]) == pytest.approx(float(at["train_loss"].mean()), rel=1e-3)
        assert percent(row[3]) == pytest.approx(float(at["train_accuracy"].mean()), abs=6e-4)
        assert percent(row[4]) == pytest.approx(test.mean(), abs=6e-4)
        assert float(row[5]) == pytest.approx(100 * test.std(ddof=1), abs=0.06)
        assert row[6] == "3 done"
    last = found["test_accuracy"].isel(step=-1)
    gain = (last.sel(run="inherited") - last.sel(run="scratch")).values
    error = gain.std(ddof=1) / math.sqrt(3)
    assert f"Gain of inheriting: {100 * gain.mean():+.1f} ± {100 * error:.1f} points." in out
    assert "Condition 4.1" not in out


def test_one_seed_has_no_error_and_no_nan():
    out = prints("simulate", *SMALL, "--seeds", 1)
    assert "nan" not in out
    assert "points (error unknown with one seed)." in out
    assert {row[5] for row in rows(out)} == {"unknown"}


def test_a_step_at_the_end_is_shown_once():
    out = prints("simulate", *SMALL, "--seeds", 2, "--record-steps", "0,5,20")
    assert [int(row[1]) for row in rows(out)] == [0, 5, 20] * 3


def test_a_simulation_is_json_for_machines():
    shown = strict(prints("simulate", *SMALL, "--seeds", 2, "--json", "--dtype", "float64"))
    assert shown["dims"]["seed"] == 2
    assert shown["coords"]["upstream.n"]["data"] == 40
    accuracies = shown["data_vars"]["test_accuracy"]
    assert accuracies["attrs"]["units"]
    assert all(0 <= x <= 1 for seed in accuracies["data"] for run in seed for x in run)


def test_where_runs_do_not_converge_condition_4_1_is_shown_line_by_line():
    out = prints("simulate", *DIVERGING, "--seeds", 2)
    runs, lines = rows(out)[:6], rows(out)[6:]
    assert runs[-1][-1] == "2 not_converged"
    known = {k: v for k, v in fields(EXAMPLE).items() if v is not None}
    own = {"d": 600, "steps": 1, "upstream.n": 40, "eta": 1e5, "downstream.sigma_p": 5}
    expected = condition_4_1(Setting.of(known | own))
    assert [row[:2] for row in lines] == [(line.name, line.task) for line in expected]
    for row, line in zip(lines, expected, strict=True):
        assert float(row[2]) == pytest.approx(line.value, rel=5e-3)
        assert float(row[3]) == pytest.approx(line.bound, rel=5e-3)
        assert float(row[4].removesuffix(" decades")) == pytest.approx(line.margin, abs=0.06)


def test_numbers_that_are_none_are_null_in_json():
    words = (*SMALL, "steps=3", "eta=1e30", "downstream.sigma_p=1e12")
    shown = strict(prints("simulate", *words, "--seeds", 1, "--json"))
    ended = shown["data_vars"]["status"]["data"][0]
    assert ended[1:] == ["not_finite"] * 2
    assert shown["data_vars"]["train_loss"]["data"][0][1][-1] is None


# --- where a setting comes from -------------------------------------------------------------------


def written(path, text):
    path.write_text(text)
    return path


def setting_of(*words):
    """The setting that a command reads."""
    return Setting.of(strict(prints("predict", *words, "--json"))["setting"])


def test_a_setting_is_read_from_toml_or_json(tmp_path):
    assert setting_of(written(tmp_path / "a.toml", TOML)) == WRITTEN
    assert setting_of(written(tmp_path / "a.json", WRITTEN.to_json())) == WRITTEN


def test_what_is_typed_comes_on_top_of_a_file_wherever_it_stands(tmp_path):
    path = written(tmp_path / "a.toml", TOML)
    for words in [("m=8", path, "upstream.n=50"), (path, "upstream.n=50", "m=8")]:
        found = setting_of(*words)
        assert (found.m, found.upstream.n) == (8, 50)
        assert (found.d, found.upstream.v_norm, found.upstream.steps) == (600, 2, 30)


def test_what_a_file_leaves_out_is_the_examples(tmp_path):
    path = written(tmp_path / "a.toml", "u_norm = 1\n'downstream.n' = 30\n[upstream]\nn = 300\n")
    found = setting_of(path)
    assert (found.u_norm, found.downstream.n, found.upstream.n) == (1, 30, 300)
    assert (found.upstream.v_norm, found.d) == (EXAMPLE.upstream.v_norm, EXAMPLE.d)


def test_numbers_are_read_as_people_write_them():
    found = setting_of("d=3e3", "upstream.n=1_00", "eta=.5", "inherit=selected")
    assert (found.d, found.upstream.n, found.eta, found.inherit) == (3000, 100, 0.5, "selected")


@COMMANDS
def test_help_has_an_example_that_works(command):
    shown = " ".join(prints(command, "--help").split())
    assert f"Example: legatee {command}" in shown
    assert "--fields" in shown
    assert "FIELD=VALUE" in shown


def test_the_examples_of_the_help_work(monkeypatch, tmp_path):
    assert prints("predict", "u_norm=0.5", "alpha=1")
    written(tmp_path / "setting.toml", TOML)
    monkeypatch.chdir(tmp_path)
    out = prints("simulate", "setting.toml", "upstream.n=400", "--seeds", "16")
    assert "16 done" in out
