import os
import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import legatee
from legatee.advice import Advice
from legatee.errors import DataError, LegateeError, OutputError, TransferError
from legatee.models.build import build

DIGITS = "digits:classes=5-9,n=60,part=train"
HELD_OUT = "digits:classes=5-9,n=100,part=test"
SHAPE = (1, 8, 8)
make_target = partial(build, "cnn:widths=6", classes=5, shape=SHAPE)
TRAINER = legatee.TrainingLoop(epochs=2, batch_size=20, device="cpu")


@pytest.fixture(scope="module")
def source():
    return build("cnn:widths=8", num_classes=5, input_shape=SHAPE, seed=3)


def ask(source, **changes):
    options = {"fit": TRAINER, "seeds": 2} | changes
    return legatee.advise(
        source, make_target, legatee.load_data(DIGITS), legatee.load_data(HELD_OUT), **options
    )


def measured(advice):
    return [(arm.name, arm.score, arm.gain) for arm in advice.arms]


def test_an_arm_that_starts_like_scratch_gains_exactly_nothing():
    """Paired means paired: with the same start, order and data nothing differs at all."""
    same = nn.Sequential(nn.Flatten(), nn.Linear(64, 4, bias=False), nn.Linear(4, 5))
    source = nn.Sequential(nn.Flatten(), nn.Linear(64, 4, bias=False), nn.Linear(4, 5))

    def fresh():
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4, bias=False), nn.Linear(4, 5))
        network.load_state_dict(same.state_dict())
        return network

    source.load_state_dict(same.state_dict())
    advice = legatee.advise(
        source, fresh, legatee.load_data(DIGITS), legatee.load_data(HELD_OUT), fit=TRAINER, seeds=3
    )
    assert advice.arm("all").score == advice.arm("scratch").score
    assert advice.arm("all").gain.estimate == 0


def test_the_source_and_the_global_generator_are_left_alone(source):
    before = {name: value.clone() for name, value in source.state_dict().items()}
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    ask(source)
    assert torch.equal(torch.rand(3), expected)
    for name, value in source.state_dict().items():
        assert torch.equal(value, before[name])


def test_processes_give_what_one_process_gives(source):
    assert measured(ask(source, workers=2)) == measured(ask(source))


def test_what_cannot_be_sent_to_processes_is_said(source):
    with pytest.raises(LegateeError, match="cannot train in 2 processes"):
        ask(source, workers=2, metric=lambda network, data: torch.zeros(len(data)))


def test_users_bring_their_own_training_and_task(source):
    """A regression: the class number as a target, fitted in closed form, scored by its error."""

    def fit(network, data, seed):
        with torch.no_grad():
            network.head.bias.fill_(data.targets.float().mean() + 0.1 * seed)
            network.head.weight.zero_()
        return network

    def metric(network, data):
        with torch.no_grad():
            return -(network(data.inputs)[:, 0] - data.targets).abs()

    advice = ask(source, fit=fit, metric=metric)
    held_out, train = legatee.load_data(HELD_OUT), legatee.load_data(DIGITS)
    centre = train.targets.float().mean()
    expected = np.mean(
        [-(centre + 0.1 * seed - held_out.targets).abs().mean().item() for seed in (0, 1)]
    )
    assert advice.arm("all").score == pytest.approx(expected, abs=1e-6)
    assert advice.provenance.device == "as the caller's fit chose"


def test_without_held_out_examples_part_of_the_others_is_held_out(source):
    advice = legatee.advise(source, make_target, legatee.load_data(DIGITS), fit=TRAINER, seeds=2)
    assert (advice.n_train, advice.n_held_out) == (40, 20)  # 3.6 of each class's 12 round to 4


def test_the_head_is_inherited_only_for_the_same_classes(source):
    same = partial(build, "cnn:widths=8", classes=5, shape=SHAPE)

    def filled(classes):
        plans = []
        arms = [legatee.Arm(name="all", alpha=1.0)]
        advice = legatee.advise(
            source,
            same,
            legatee.load_data(DIGITS),
            legatee.load_data(HELD_OUT),
            fit=lambda network, data, seed: plans.append(network) or network,
            metric=lambda network, data: torch.zeros(len(data)),
            arms=arms,
            seeds=2,
            source_classes=classes,
        )
        return advice.arm("all").inherited_fraction

    assert filled(legatee.load_data(DIGITS).class_names) == 1
    assert filled(None) < 1
    assert filled(("a", "b", "c", "d", "e")) < 1


def test_an_advice_survives_json(source):
    advice = ask(source)
    assert Advice.from_json(advice.to_json()) == advice
    with pytest.raises(LegateeError, match="not an advice: verdict"):
        Advice.from_json(advice.to_json().replace(advice.verdict.value, "perhaps"))


def test_another_fit_or_another_start_does_not_go_on_with_this_one(source, tmp_path):
    def first(network, data, seed):
        return network

    ask(source, fit=first, out=tmp_path)
    with pytest.raises(OutputError, match="fit is"):
        ask(source, fit=lambda network, data, seed: network.eval(), out=tmp_path)
    other = partial(build, "cnn:widths=6", classes=5, shape=SHAPE, seed=8)
    train, held_out = legatee.load_data(DIGITS), legatee.load_data(HELD_OUT)
    with pytest.raises(OutputError, match="target is"):
        legatee.advise(source, other, train, held_out, fit=first, seeds=2, out=tmp_path)


def test_a_make_target_that_gives_its_only_network_is_refused(source):
    with pytest.raises(LegateeError, match="same network twice"):
        legatee.advise(
            source, lambda: source, legatee.load_data(DIGITS), legatee.load_data(HELD_OUT)
        )


def test_training_examples_are_not_held_out_examples(source):
    with pytest.raises(DataError, match="are the training examples"):
        legatee.advise(source, make_target, legatee.load_data(DIGITS), legatee.load_data(DIGITS))


def test_arms_that_inherit_the_same_are_one_arm(source):
    wide = partial(build, "cnn:widths=32", classes=5, shape=SHAPE)
    train, held_out = legatee.load_data(DIGITS), legatee.load_data(HELD_OUT)
    advice = legatee.advise(source, wide, train, held_out, fit=TRAINER, seeds=2)
    # 8 channels of the source are a quarter of the target's 32: more cannot be inherited
    assert [arm.name for arm in advice.arms] == ["scratch", "all"]
    assert advice.comparisons == 1
    told = " ".join(advice.not_checked)
    assert "'half'" in told
    assert "'quarter'" in told


BAD = [
    ({"fit": lambda network, data, seed: None}, LegateeError, "fit returned NoneType"),
    ({"seeds": 1}, LegateeError, "at least two different"),
    ({"seeds": (4, 4)}, LegateeError, "at least two different"),
    ({"margin": -0.1}, LegateeError, "margin is -0.1"),
    ({"error_rate": 1.0}, LegateeError, "error_rate is 1.0"),
    ({"workers": 0}, LegateeError, "workers is 0"),
    ({"arms": []}, LegateeError, "expected different names"),
    ({"arms": [legatee.Arm(name="a", alpha=1.5)]}, LegateeError, "alpha 1.5"),
    ({"arms": [legatee.Arm(name="scratch", alpha=1.0)]}, LegateeError, "different names"),
    ({"metric": lambda net, data: torch.full((len(data),), torch.nan)}, LegateeError, "NaN"),
    ({"metric": lambda net, data: torch.zeros(3)}, LegateeError, r"\(3,\).*\(100,\)"),
]


@pytest.mark.parametrize(("changes", "error", "words"), BAD)
def test_what_cannot_be_answered_is_refused(source, changes, error, words):
    with pytest.raises(error, match=words):
        ask(source, **changes)


def test_other_classes_held_out_are_refused(source):
    with pytest.raises(DataError, match="different classes"):
        legatee.advise(
            source,
            make_target,
            legatee.load_data(DIGITS),
            legatee.load_data("digits:classes=0-4,n=50"),
        )


def test_a_source_with_nothing_to_give_is_refused_with_the_reason():
    stranger = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
    with pytest.raises(TransferError, match="nothing would be inherited"):
        ask(stranger)


def test_finished_trainings_are_kept_and_never_repeated(source, tmp_path):
    trained = []

    def fit(network, data, seed):
        trained.append(seed)
        if len(trained) == 3:
            raise KeyboardInterrupt
        return network

    def ask_once():
        return ask(source, fit=fit, out=tmp_path / "advice")

    with pytest.raises(KeyboardInterrupt):
        ask_once()
    advice = ask_once()
    assert len(trained) == 3 + 8 - 2  # four arms under two seeds, of which two had been finished
    assert measured(advice) == measured(ask(source, fit=lambda network, data, seed: network))


def test_another_race_does_not_go_on_in_the_same_place(source, tmp_path):
    ask(source, out=tmp_path)
    with pytest.raises(OutputError, match="seeds"):
        ask(source, out=tmp_path, seeds=3)


def test_killed_mid_race_the_same_call_ends_like_an_undisturbed_one(source, tmp_path):
    script = f"""
import sys
from functools import partial
import legatee
from legatee.models.build import build
if __name__ == "__main__":
    make = partial(build, "cnn:widths=6", classes=5, shape={SHAPE})
    legatee.advise(build("cnn:widths=8", num_classes=5, input_shape={SHAPE}, seed=3), make,
                   legatee.load_data("{DIGITS}"), legatee.load_data("{HELD_OUT}"),
                   fit=legatee.TrainingLoop(epochs=2, batch_size=20, device="cpu"),
                   seeds=20, out=sys.argv[1])
"""
    place = tmp_path / "advice"
    run = subprocess.Popen([sys.executable, "-c", script, str(place)])
    while not (place / "runs.zarr" / "done" / "c").exists():
        assert run.poll() is None
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert not (place / "advice.json").exists()
    disturbed = ask(source, seeds=20, out=place)
    assert measured(disturbed) == measured(ask(source, seeds=20))
