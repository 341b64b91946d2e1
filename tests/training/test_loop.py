from itertools import pairwise
from math import cos, isnan, pi

import pytest
import torch
from torch import nn

from legatee.data.load import Examples, load_data
from legatee.errors import LegateeError
from legatee.models.build import build
from legatee.training.devices import pick_device
from legatee.training.loop import TrainingLoop
from legatee.training.tasks import score_examples

QUICK = TrainingLoop(epochs=2, batch_size=16, device="cpu")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits() -> Examples:
    return load_data("digits:n=100,part=train")


def small(seed: int = 0, drop: float = 0.0) -> nn.Module:
    network = build("cnn:widths=4-8", num_classes=10, input_shape=(1, 8, 8), seed=seed)
    network.pool = nn.Sequential(network.pool, nn.Dropout(drop))
    return network


def weights(network: nn.Module) -> torch.Tensor:
    return torch.cat([tensor.double().flatten() for tensor in network.state_dict().values()])


def test_it_learns_the_real_digits():
    network = build("cnn:widths=16-32", num_classes=10, input_shape=(1, 8, 8), seed=0)
    losses = []
    trainer = TrainingLoop(epochs=10, device="cpu")
    trainer.run(
        network,
        load_data("digits:part=train"),
        0,
        on_epoch=lambda epoch, loss: losses.append(loss),
    )
    # 721 held-out digits; scikit-learn's own example reaches 97 % with a tuned SVM
    assert score_examples(network, load_data("digits:part=test")).mean() >= 0.97
    assert len(losses) == 10
    assert losses[0] > 10 * losses[-1]


def test_from_random_labels_nothing_is_learned_about_the_digits():
    test, scores = load_data("digits:part=test"), []
    for seed in range(8):
        noisy = load_data(f"digits:part=train,n=500,label_noise=1,seed={seed}")
        scores.append(score_examples(QUICK(small(seed), noisy, seed), test).mean())
    # chance is 1/10; if it gave each digit one answer, 10 answers in each of 8 runs: error 3.4 %
    assert torch.stack(scores).mean() < 0.1 + 4 * 0.034


def test_two_runs_with_the_same_seed_agree_bit_for_bit_whatever_ran_before(digits):
    torch.manual_seed(1)
    one = QUICK(small(drop=0.3), digits, seed=5)
    torch.manual_seed(2)
    QUICK(small(drop=0.3), digits, seed=6)
    torch.rand(7)
    two = QUICK(small(drop=0.3), digits, seed=5)
    assert torch.equal(weights(one), weights(two))
    assert not torch.equal(weights(one), weights(QUICK(small(drop=0.3), digits, seed=6)))


def test_watching_changes_nothing_and_the_global_generator_stays(digits):
    def watch(epoch, loss):
        torch.rand(3)
        score_examples(network, digits)

    alone = QUICK(small(), digits, seed=5)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    network = small()
    assert QUICK.run(network, digits, 5, on_epoch=watch) is network
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(weights(network), weights(alone))


def test_it_works_in_place_and_hands_back_a_network_that_no_longer_trains(digits):
    network = small()
    assert QUICK(network, digits, seed=0) is network
    assert not any(module.training for module in network.modules())


class Recorder(nn.Module):
    """Records the inputs that it is trained on."""

    def __init__(self, classes: int = 2):
        super().__init__()
        self.norm = nn.BatchNorm1d(1)
        self.head = nn.Linear(1, classes)
        self.seen: list[torch.Tensor] = []

    def forward(self, inputs):
        if self.training:
            self.seen.append(inputs.detach().flatten().clone())
        return self.head(self.norm(inputs))


def numbered(n: int) -> Examples:
    inputs = torch.arange(float(n)).unsqueeze(1)
    return Examples(
        inputs=inputs, targets=torch.arange(n) % 2, class_names=("even", "odd"), name="n"
    )


@pytest.mark.parametrize(
    ("n", "sizes"),
    [(40, [10] * 4), (41, [10, 10, 10, 11]), (42, [10] * 4 + [2]), (11, [11]), (3, [3])],
)
def test_every_epoch_sees_every_example_once_and_none_alone(n, sizes):
    network = Recorder()
    TrainingLoop(epochs=2, batch_size=10, device="cpu")(network, numbered(n), seed=0)
    assert [len(seen) for seen in network.seen] == sizes * 2
    epochs = torch.cat(network.seen).reshape(2, n)
    assert not torch.equal(epochs[0], epochs[1])
    assert torch.equal(epochs.sort().values, torch.arange(float(n)).expand(2, n))


class Pull(nn.Module):
    """One weight with a constant gradient: AdamW then moves it by the learning rate each step."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.path: list[float] = []

    def forward(self, inputs):
        self.path.append(self.weight.item())
        flat = torch.zeros(len(inputs), 2, dtype=torch.float64)
        return flat + (self.weight - self.weight.detach()) * torch.tensor([1.0, 0.0])


def test_the_learning_rate_rises_and_falls_as_a_cosine():
    labels = torch.tensor([0, 0, 0, 0])
    data = Examples(inputs=torch.zeros(4, 1), targets=labels, class_names=("a", "b"), name="n")
    network = Pull()
    trainer = TrainingLoop(
        epochs=10, batch_size=2, learning_rate=0.01, weight_decay=0, warmup=0.2, device="cpu"
    )
    trainer(network, data, seed=0)
    moved = [after - before for before, after in pairwise([*network.path, network.weight.item()])]
    rising = [0.01 * (step + 0.5) / 4 for step in range(4)]
    falling = [0.01 * (1 + cos(pi * (step + 0.5) / 16)) / 2 for step in range(16)]
    assert moved == pytest.approx(rising + falling, rel=1e-5, abs=1e-12)


def test_the_loss_reported_is_the_mean_over_the_examples():
    data = numbered(5)
    network = Recorder()
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.copy_(torch.tensor([1.0, 0.0]))
    losses = []
    trainer = TrainingLoop(
        epochs=1, batch_size=2, learning_rate=1e-12, weight_decay=0, device="cpu"
    )
    trainer.run(network, data, 0, on_epoch=lambda *heard: losses.append(heard))
    right, wrong = torch.tensor([1.0, 0.0]).log_softmax(0).neg().tolist()
    assert losses == [(1, pytest.approx((3 * right + 2 * wrong) / 5, rel=1e-6))]


def test_a_diverged_run_ends_quietly_and_scores_nothing(digits):
    heard = []
    network = small()
    trainer = TrainingLoop(epochs=5, batch_size=16, learning_rate=1e30, warmup=0, device="cpu")
    trainer.run(network, digits, 0, on_epoch=lambda *told: heard.append(told))
    assert [epoch for epoch, _ in heard] == list(range(1, len(heard) + 1))
    assert len(heard) < 5
    assert isnan(heard[-1][1])
    assert score_examples(network, digits).sum() == 0


class Table(nn.Module):
    """Looks its outputs up by the input."""

    def __init__(self, rows):
        super().__init__()
        self.rows = torch.tensor(rows)

    def forward(self, inputs):
        return self.rows[inputs.flatten().long()]


def test_scores_are_one_per_example_in_order():
    nan, inf = float("nan"), float("inf")
    rows = [[2.0, 1.0], [2.0, 1.0], [0.0, 0.5], [nan, 1.0], [inf, 0.0], [-1.0, -0.5]]
    scores = score_examples(Table(rows), numbered(6))
    assert scores.tolist() == [1, 0, 0, 0, 0, 1]
    assert scores.dtype == torch.float32


def test_scores_do_not_depend_on_the_batching(digits):
    network = QUICK(small(), digits, seed=0)
    many = load_data("digits:part=test,n=1200")
    with torch.inference_mode():
        by_hand = [
            network(x[None]).argmax() == y for x, y in zip(many.inputs, many.targets, strict=True)
        ]
    assert (score_examples(network, many) - torch.stack(by_hand).float()).abs().sum() == 0


def test_images_of_bytes_are_trained_on_as_fractions():
    network = Recorder()
    network.norm = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(1))
    images = torch.tensor([0, 255, 51, 102], dtype=torch.uint8).reshape(4, 1, 1, 1)
    labels = torch.tensor([0, 1, 0, 1])
    data = Examples(inputs=images, targets=labels, class_names=("a", "b"), name="n")
    TrainingLoop(epochs=1, device="cpu")(network, data, seed=0)
    assert network.seen[0].sort().values.tolist() == pytest.approx([0, 0.2, 0.4, 1])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epochs": 0}, "cannot train with epochs=0; give 1 or more"),
        (
            {"batch_size": 1},
            "cannot train with batch_size=1; give 2 or more, batch normalisation needs them",
        ),
        ({"learning_rate": 0.0}, "cannot train with learning_rate=0.0; give a number above 0"),
        ({"weight_decay": -1.0}, "cannot train with weight_decay=-1.0; give 0 or a number above"),
        (
            {"learning_rate": float("nan")},
            "cannot train with learning_rate=nan; give a number above 0",
        ),
        ({"warmup": 1.1}, "cannot train with warmup=1.1; give a fraction in 0..1"),
    ],
)
def test_a_trainer_that_cannot_train_is_refused(changes, sentence):
    with pytest.raises(LegateeError) as refused:
        TrainingLoop(**changes)
    assert str(refused.value) == sentence


class Returns(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.outputs = outputs

    def forward(self, inputs):
        return self.outputs


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (
            nn.Linear(1, 1),
            "the network returns (4, 1) for 4 examples; classification expects (4, 2): "
            "build it with that number of outputs (num_classes=)",
        ),
        (
            Returns(torch.zeros(4, 2, 3)),
            "the network returns (4, 2, 3) for 4 examples; classification expects (4, 2): "
            "build it with that number of outputs (num_classes=)",
        ),
        (Returns((1, 2)), "the network returns a tuple; expected one tensor"),
        (nn.Flatten(), "the network has no parameters that can be trained"),
    ],
)
def test_a_network_that_does_not_fit_the_data_is_refused(network, sentence):
    with pytest.raises(LegateeError) as refused:
        QUICK(network, numbered(4), seed=0)
    assert str(refused.value) == sentence


def test_a_device_that_is_not_here_is_refused():
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(LegateeError, match="cannot compute on device='gpu' "):
        pick_device("gpu")
    with pytest.raises(LegateeError, match="cannot compute on device='cuda:99' "):
        pick_device("cuda:99")


@pytest.mark.parametrize(("gpu", "device"), [(False, "cpu"), (True, "cuda")])
def test_the_default_device_is_the_gpu_if_there_is_one(monkeypatch, gpu, device):
    asked = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch, "empty", lambda _, device: asked.append(device) or torch.zeros(0))
    pick_device()
    assert asked == [device]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_it_learns_on_a_gpu_and_leaves_the_generators(digits):
    before = torch.get_rng_state(), torch.cuda.get_rng_state()
    network = TrainingLoop(epochs=20, batch_size=16)(small(), digits, seed=0)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.equal(torch.cuda.get_rng_state(), before[1])
    scores = score_examples(network, digits)
    assert scores.device.type == "cpu"
    assert scores.mean() > 0.8
