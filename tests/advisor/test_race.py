"""The race: what it leaves alone, what it refuses, and what workers and kills do to it."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
import torch
from planted import CLASSES, DIRECTION, ask, classifier, examples, no_steps, random_start
from torch import nn

import legatee
from legatee.advice import Advice, Severity
from legatee.advisor.arms import ARMS, SCRATCH
from legatee.advisor.options import AdviseOptions, advise_options
from legatee.advisor.runs import has_runs, load_runs
from legatee.errors import DataError, LegateeError, OutputError, TransferError
from legatee.methods import Inherit, Scratch
from legatee.models.build import build

DIGITS = "digits:classes=5-9,n=60,part=train"
HELD_OUT = "digits:classes=5-9,n=100,part=test"
SHAPE = (1, 8, 8)
DEADLINE = 120  # of anything that a test waits for [s]
make_target = partial(build, "cnn:widths=6", num_classes=5, input_shape=SHAPE)
LOOP = legatee.TrainingLoop(epochs=2, batch_size=20, device="cpu")


@pytest.fixture(scope="module")
def source():
    return build("cnn:widths=8", num_classes=5, input_shape=SHAPE, seed=3)


def race(source, **changes):
    options = {"fit": LOOP, "seeds": 2, "progress": False} | changes
    train, held_out = legatee.load_data(DIGITS), legatee.load_data(HELD_OUT)
    return legatee.advise(source, make_target, train, held_out, **options)


def measured(advice):
    return [(arm.name, arm.score, arm.gain) for arm in advice.arms]


def test_an_arm_that_starts_like_scratch_gains_exactly_nothing():
    """Paired means paired: with the same start, order and data nothing differs at all."""
    same = nn.Sequential(nn.Flatten(), nn.Linear(64, 4, bias=False), nn.Linear(4, 5))

    def fresh():
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4, bias=False), nn.Linear(4, 5))
        network.load_state_dict(same.state_dict())
        return network

    train, held_out = legatee.load_data(DIGITS), legatee.load_data(HELD_OUT)
    advice = legatee.advise(fresh(), fresh, train, held_out, fit=LOOP, seeds=3)
    assert advice.arm("all").score == advice.arm("scratch").score
    assert advice.arm("all").gain.estimate == 0


def test_the_source_and_the_global_generator_are_left_alone(source):
    before = {name: value.clone() for name, value in source.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    race(source)
    assert torch.equal(torch.rand(3), expected)
    for name, value in source.state_dict().items():
        assert torch.equal(value, before[name])


def test_what_cannot_be_sent_to_processes_is_said(source):
    with pytest.raises(LegateeError, match=r"cannot train in 2 processes.*workers=1"):
        race(source, workers=2, metric=lambda network, data: torch.zeros(len(data)))


def die_once(prepared, data, seed, mark, parent):
    """A training whose process is killed the first time that it comes to scratch under seed 1."""
    if seed == 1 and prepared.receipt is None and not mark.exists() and os.getpid() != parent:
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return LOOP(prepared, data, seed)


def test_processes_give_what_one_process_gives_though_one_of_them_is_lost(source, tmp_path):
    mark = tmp_path / "killed"
    advice = race(source, fit=partial(die_once, mark=mark, parent=os.getpid()), workers=2)
    assert mark.exists()
    assert measured(advice) == measured(race(source))


def fail_for_seed_1(prepared, data, seed):
    if seed == 1:
        raise ValueError("no such luck")
    return prepared.network


def test_trainings_that_fail_in_processes_are_named_and_the_others_kept(source, tmp_path):
    with pytest.raises(LegateeError, match=r"4 of 8 trainings failed.*seed 1: no such luck"):
        race(source, fit=fail_for_seed_1, workers=2, out=tmp_path)
    assert np.isfinite(load_runs(tmp_path)["score"].sel(seed=0)).all()
    assert np.isnan(load_runs(tmp_path)["score"].sel(seed=1)).all()


def test_users_bring_their_own_training_and_task(source):
    """A regression: the class number as a target, fitted in closed form, scored by its error."""

    def fit(prepared, data, seed):
        network = prepared.network
        with torch.no_grad():
            network.head.bias.fill_(data.targets.float().mean() + 0.1 * seed)
            network.head.weight.zero_()
        return network

    def metric(network, data):
        with torch.no_grad():
            return -(network(data.inputs)[:, 0] - data.targets).abs()

    advice = race(source, fit=fit, metric=metric)
    held_out, train = legatee.load_data(HELD_OUT), legatee.load_data(DIGITS)
    centre = train.targets.float().mean()
    expected = np.mean(
        [-(centre + 0.1 * seed - held_out.targets).abs().mean().item() for seed in (0, 1)]
    )
    assert advice.arm("all").score == pytest.approx(expected, abs=1e-6)
    assert advice.provenance.device == "chosen by the caller's fit"
    assert advice.provenance.procedure == {}
    assert "points" not in advice.reasons[0].text  # scores below 0 are no shares


def test_the_procedure_is_on_record(source):
    procedure = race(source).provenance.procedure
    assert procedure["epochs"] == "2"
    assert procedure["learning_rate"] == "0.003"
    assert procedure["input shape"] == "1 x 8 x 8"
    assert "no normalisation" in procedure["preprocessing"]
    assert "device" not in procedure


def test_without_held_out_examples_part_of_the_others_is_held_out(source):
    advice = legatee.advise(source, make_target, legatee.load_data(DIGITS), fit=LOOP, seeds=2)
    assert (advice.n_train, advice.n_held_out) == (40, 20)  # 3.6 of each class's 12 round to 4
    assert set(advice.held_out_counts.values()) == {4}


def test_learning_curves_hold_the_loss_of_every_epoch_and_some_scores(source, tmp_path):
    loop = legatee.TrainingLoop(epochs=20, batch_size=30, device="cpu")
    advice = race(source, fit=loop, out=tmp_path)
    runs = load_runs(tmp_path)
    assert np.isfinite(runs["train_loss"]).all()
    scored = np.isfinite(runs["held_out_score"]).all(["arm", "seed"])
    assert scored.values.sum() == 12
    assert scored.values[[0, -1]].all()
    last = runs["held_out_score"].sel(epoch=20).mean("seed")
    for arm in advice.arms:
        assert last.sel(arm=arm.name).item() == pytest.approx(arm.score, abs=1e-6)


def test_a_training_of_few_epochs_is_scored_after_each_of_them(source, tmp_path):
    race(source, out=tmp_path)
    assert np.isfinite(load_runs(tmp_path)["held_out_score"]).all()


def test_a_training_of_the_callers_own_has_no_learning_curve(source, tmp_path):
    race(source, fit=no_steps, out=tmp_path)
    assert load_runs(tmp_path).sizes["epoch"] == 0


def test_what_is_kept_says_what_it_is(source, tmp_path):
    race(source, out=tmp_path)
    runs = load_runs(tmp_path)
    units = {"score": "score", "train_loss": "nats", "held_out_score": "score"}
    units |= {"diverged": "1", "inherited": "1", "seconds": "s"}
    assert {name: variable.attrs["units"] for name, variable in runs.items()} == units
    assert all(variable.attrs["long_name"] for variable in runs.values())
    assert not runs["diverged"].any()
    assert (runs["seconds"] > 0).all()


def test_a_folder_without_trainings_has_none_to_read(source, tmp_path):
    assert not has_runs(tmp_path)
    with pytest.raises(OutputError, match="holds no trainings of a race"):
        load_runs(tmp_path)
    race(source, fit=no_steps, out=tmp_path)
    assert has_runs(tmp_path)


def test_a_loss_that_diverges_is_a_divergence_though_wrong_answers_are_finite(source):
    advice = race(source, fit=legatee.TrainingLoop(epochs=2, learning_rate=1e30, device="cpu"))
    assert advice.verdict == "undecided"
    assert advice.reasons[0].code == "scratch-diverged"


def test_the_head_is_inherited_only_for_the_same_classes(source):
    same = partial(build, "cnn:widths=8", num_classes=5, input_shape=SHAPE)

    def inherited(names):
        advice = legatee.advise(
            source,
            same,
            legatee.load_data(DIGITS),
            legatee.load_data(HELD_OUT),
            fit=no_steps,
            arms=[legatee.Arm(name="all", method=Inherit())],
            seeds=2,
            source_class_names=names,
        )
        return advice.arm("all").inherited_fraction

    assert inherited(legatee.load_data(DIGITS).class_names) == 1
    some = inherited(("5", "6", "c", "d", "e"))
    assert inherited(None) == inherited(("a", "b", "c", "d", "e")) < some < 1


def test_an_advice_survives_json(source):
    advice = race(source)
    assert Advice.from_json(advice.to_json()) == advice
    text = advice.to_json().replace(f'"verdict": "{advice.verdict}"', '"verdict": "perhaps"')
    with pytest.raises(LegateeError, match=r"not an advice: verdict"):
        Advice.from_json(text)


def test_an_advice_is_one_line_or_a_small_table():
    advice = ask(classifier(DIRECTION), random_start)
    assert repr(advice) == "<Advice: inherit 'all'; scratch, all; 6 seeds>"
    page = advice._repr_html_()
    assert page.count("<tr>") == 3
    assert "&#x27;all&#x27; beats scratch" in page


def test_arms_that_inherit_the_same_are_one_arm(source):
    wide = partial(build, "cnn:widths=32", num_classes=5, input_shape=SHAPE)
    train, held_out = legatee.load_data(DIGITS), legatee.load_data(HELD_OUT)
    advice = legatee.advise(source, wide, train, held_out, fit=LOOP, seeds=2)
    # 8 channels of the source are a quarter of the target's 32: more cannot be inherited
    assert [arm.name for arm in advice.arms] == ["scratch", "all"]
    assert advice.comparisons == 1
    same = [q.text for q in advice.not_checked if q.code == "same-arm"]
    assert len(same) == 2
    assert "'half'" in same[0]
    assert "'quarter'" in same[1]


BAD = [
    ({"fit": lambda prepared, data, seed: None}, LegateeError, "fit returned NoneType"),
    ({"fit": 3}, LegateeError, "fit is a int"),
    ({"fit": no_steps, "device": "cpu"}, LegateeError, "device='cpu' is for the built-in"),
    ({"seeds": 1}, LegateeError, "at least two different"),
    ({"seeds": (4, 4)}, LegateeError, "at least two different"),
    ({"seeds": (-1, 4)}, LegateeError, "from 0"),
    ({"seeds": "3"}, LegateeError, "seeds is '3'"),
    ({"seeds": 2.5}, LegateeError, "seeds is 2.5"),
    ({"margin": -0.1}, LegateeError, "margin is -0.1"),
    ({"margin": 5}, LegateeError, "5 points are margin=0.05"),
    ({"margin": "much"}, LegateeError, "margin is 'much'"),
    ({"error_rate": 1.0}, LegateeError, "error_rate is 1.0"),
    ({"error_rate": 0}, LegateeError, "error_rate is 0"),
    ({"workers": 0}, LegateeError, "workers is 0"),
    ({"arms": []}, LegateeError, "arms is empty"),
    ({"arms": [1, 0.5]}, LegateeError, "arms holds 1; pass legatee.Arm"),
    ({"arms": "all"}, LegateeError, "arms is 'all'; pass a list"),
    ({"arms": [legatee.Arm(name="scratch", method=Inherit())]}, LegateeError, "different names"),
    ({"arms": [legatee.Arm(name="no", method=Inherit(alpha=0))]}, LegateeError, "alpha=0"),
    ({"arms": [legatee.Arm(name="no", method=Scratch())]}, LegateeError, "'no' inherits nothing"),
    ({"validation": None}, LegateeError, r"no option 'validation'; the options are arms, seeds"),
    ({"metric": lambda net, data: torch.zeros(3)}, LegateeError, r"\(3,\).*\(100,\)"),
]


@pytest.mark.parametrize(("changes", "error", "words"), BAD)
def test_what_cannot_be_answered_is_refused(source, changes, error, words):
    with pytest.raises(error, match=words):
        race(source, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"margin": 1}, id="the greatest margin of shares"),
        pytest.param({"margin": 0}, id="no margin"),
        pytest.param({"error_rate": 1e-9}, id="a small error rate"),
        pytest.param({"error_rate": 1 - 1e-9}, id="a large error rate"),
        pytest.param({"seeds": 2}, id="two seeds"),
        pytest.param({"seeds": (7, 0)}, id="seeds in any order"),
        pytest.param({"workers": 1}, id="one process"),
        pytest.param({"arms": None}, id="the usual arms"),
    ],
)
def test_what_is_just_allowed_is_answered(source, changes):
    advice = race(source, fit=no_steps, **changes)
    assert [arm.name for arm in advice.arms] == ["scratch", "all", "half", "quarter"]


@pytest.mark.parametrize(
    "changes",
    [
        {"margin": 1.01},
        {"margin": float("inf")},
        {"margin": -1e-9},
        {"error_rate": -0.1},
        {"error_rate": 1.5},
        {"seeds": ()},
        {"seeds": (0, 1, 0)},
        {"seeds": True},
        {
            "arms": [
                legatee.Arm(name="x", method=Inherit()),
                legatee.Arm(name="x", method=Inherit()),
            ]
        },
    ],
    ids=str,
)
def test_what_is_just_not_allowed_is_refused_before_anything_is_trained(source, changes):
    trained = []

    def fit(prepared, data, seed):
        trained.append(seed)
        return prepared.network

    with pytest.raises(LegateeError, match=next(iter(changes))):
        race(source, fit=fit, **changes)
    assert trained == []


def test_the_usual_seeds_are_five():
    assert AdviseOptions().seeds == (0, 1, 2, 3, 4)
    assert AdviseOptions(seeds=3).seeds == (0, 1, 2)
    assert advise_options(AdviseOptions(seeds=3, margin=0.5), {"margin": 0.25}).seeds == (0, 1, 2)
    assert advise_options(AdviseOptions(margin=0.5), {"margin": 0.25}).margin == 0.25


def test_the_usual_arms_are_all_half_and_a_quarter_of_the_channels():
    assert {arm.name: arm.method for arm in ARMS} == {
        "all": Inherit(alpha=1.0),
        "half": Inherit(alpha=0.5),
        "quarter": Inherit(alpha=0.25),
    }
    assert [SCRATCH.is_scratch, *(arm.is_scratch for arm in ARMS)] == [True, False, False, False]


def test_what_is_no_method_makes_no_arm():
    with pytest.raises(LegateeError, match=r"the method of an arm is 'all'; pass a method"):
        legatee.Arm(name="all", method="all")


def test_a_margin_above_1_is_fine_where_scores_have_no_limits(source):
    race(source, fit=no_steps, metric=lambda net, data: torch.zeros(len(data)), margin=5)


NETWORK = classifier(DIRECTION)
FOREIGN = [
    (("a network", random_start), "source is a str"),
    ((NETWORK, NETWORK), "make_target is a network; pass a function"),
    ((NETWORK, 3), "make_target is a int"),
    ((NETWORK, lambda: 3), "make_target returned a int"),
    ((NETWORK, lambda: NETWORK), "same network twice"),
]


@pytest.mark.parametrize(("networks", "words"), FOREIGN)
def test_what_is_no_pair_of_networks_is_refused(networks, words):
    with pytest.raises(LegateeError, match=words):
        ask(*networks)


def test_one_fresh_network_handed_out_twice_is_refused():
    only = random_start()
    with pytest.raises(LegateeError, match="same network twice"):
        ask(classifier(DIRECTION), lambda: only)


@pytest.mark.parametrize(
    "data",
    ["digits:classes=5-9", [1.0, 2.0], torch.utils.data.DataLoader(examples(9, 0))],
    ids=["text", "list", "loader"],
)
def test_what_is_no_dataset_is_refused(data):
    with pytest.raises(DataError, match=r"train is (a|the) "):
        legatee.advise(NETWORK, random_start, data, fit=no_steps)
    with pytest.raises(DataError, match=r"held_out is (a|the) "):
        legatee.advise(NETWORK, random_start, examples(9, 0), data, fit=no_steps)


def test_training_examples_are_not_held_out_examples(source):
    data = legatee.load_data(DIGITS)
    with pytest.raises(DataError, match=r"60 of 60 held-out examples are training examples"):
        legatee.advise(source, make_target, data, data, fit=no_steps)


def with_copies(count):
    """Ask with 60 training examples, of which some are among the 100 held-out ones."""
    train, held_out = examples(60, 1), examples(100, 2)
    held_out.inputs[5 : 5 + count] = train.inputs[7 : 7 + count]
    held_out.targets[5 : 5 + count] = train.targets[7 : 7 + count]
    networks = classifier(DIRECTION), random_start
    options = {"fit": no_steps, "seeds": 3, "source_class_names": CLASSES}
    advice = legatee.advise(*networks, train, held_out, **options)
    return [reason for reason in advice.reasons if reason.code == "held-out-overlap"]


@pytest.mark.parametrize("count", [1, 10])
def test_a_few_training_examples_among_the_held_out_ones_are_a_warning(count):
    (warning,) = with_copies(count)
    assert warning.numbers == {"overlap": count, "held-out examples": 100}
    assert warning.severity is Severity.WARNING
    assert f"{count} of 100 held-out examples are training examples" in warning.text
    assert "scores may be too high" in warning.text


def test_more_than_a_tenth_of_them_is_refused():
    with pytest.raises(DataError, match=r"11 of 100 held-out .*held_out= \(--held-out\)"):
        with_copies(11)


def test_held_out_examples_of_their_own_are_no_warning():
    assert with_copies(0) == []


def test_equal_examples_within_one_set_only_warn_where_part_of_it_is_held_out():
    """Nobody can pass other examples where the split is ours."""
    one = examples(40, 1)
    one.inputs[:] = one.inputs[:1]
    one.targets[::2], one.targets[1::2] = 0, 1
    options = {"fit": no_steps, "seeds": 2, "source_class_names": CLASSES}
    advice = legatee.advise(classifier(DIRECTION), random_start, one, **options)
    (warning,) = [reason for reason in advice.reasons if reason.code == "held-out-overlap"]
    assert warning.numbers == {"overlap": 12, "held-out examples": 12}


def test_other_classes_held_out_are_refused(source):
    other = legatee.load_data("digits:classes=0-4,n=50")
    with pytest.raises(DataError, match="different classes: 5, 6, 7, 8, 9 and 0, 1, 2, 3, 4"):
        legatee.advise(source, make_target, legatee.load_data(DIGITS), other)


def test_a_source_with_nothing_to_give_is_refused_with_the_reason():
    stranger = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    with pytest.raises(TransferError, match="nothing would be inherited"):
        race(stranger)


def test_a_killed_race_resumes_and_ends_like_an_undisturbed_one(source, tmp_path):
    script = f"""
import sys
from functools import partial
import legatee
from legatee.models.build import build
if __name__ == "__main__":
    make = partial(build, "cnn:widths=6", num_classes=5, input_shape={SHAPE})
    legatee.advise(build("cnn:widths=8", num_classes=5, input_shape={SHAPE}, seed=3), make,
                   legatee.load_data("{DIGITS}"), legatee.load_data("{HELD_OUT}"),
                   fit=legatee.TrainingLoop(epochs=2, batch_size=20, device="cpu"),
                   seeds=20, out=sys.argv[1])
"""
    place = tmp_path / "advice"
    run = subprocess.Popen([sys.executable, "-c", script, str(place)], stderr=subprocess.DEVNULL)
    marks = place / "runs" / "part-000.zarr" / "done" / "c"
    try:
        end = time.monotonic() + DEADLINE
        while not marks.exists():
            assert run.poll() is None, "it ended by itself"
            assert time.monotonic() < end, f"nothing was finished within {DEADLINE} s"
            time.sleep(0.01)
    finally:
        run.kill()
        run.wait(DEADLINE)
    assert not (place / "advice.json").exists()
    disturbed = race(source, seeds=20, out=place)
    assert measured(disturbed) == measured(race(source, seeds=20))
