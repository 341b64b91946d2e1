"""What the training loop does with what a method prepared."""

from copy import deepcopy
from math import cos, pi

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from legatee.data.examples import Examples
from legatee.data.load import load_data
from legatee.errors import LegateeError
from legatee.methods.prepared import Prepared, TunedParameters, whole
from legatee.models.build import build
from legatee.training.loop import TrainingLoop, TrainingState
from legatee.training.tasks import score_examples

ONE_THREAD = TrainingLoop(epochs=4, batch_size=10, device="cpu")


@pytest.fixture(scope="module")
def digits():
    return load_data("digits:classes=0-4,n=60,part=train")


def small(seed=0):
    network = build("cnn:widths=4-8", num_classes=5, input_shape=(1, 8, 8), seed=seed)
    network.pool = nn.Sequential(network.pool, nn.Dropout(0.2))
    return network


def weights(network):
    return torch.cat([value.double().flatten() for value in network.state_dict().values()])


class Pulled(nn.Module):
    """Two weights with constant gradients: AdamW moves each by its learning rate at every step."""

    def __init__(self):
        super().__init__()
        self.slow = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.fast = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, inputs):
        flat = torch.zeros(len(inputs), 2, dtype=torch.float64)
        moving = self.slow - self.slow.detach() + self.fast - self.fast.detach()
        return flat + moving * torch.tensor([1.0, 0.0])


ZEROS = Examples(
    inputs=torch.zeros(4, 1), targets=torch.zeros(4).long(), class_names=("a", "b"), name="z"
)


def test_every_group_follows_the_schedule_at_its_own_scale():
    network = Pulled()
    groups = [
        TunedParameters(params=[network.slow], lr_scale=0.1),
        TunedParameters(params=[network.fast], lr_scale=1.0),
    ]
    loop = TrainingLoop(
        epochs=5, batch_size=2, learning_rate=0.01, weight_decay=0, warmup=0, device="cpu"
    )
    loop(Prepared(network=network, parameter_groups=groups), ZEROS, seed=0)
    total = sum(0.01 * (1 + cos(pi * (step + 0.5) / 10)) / 2 for step in range(10))
    assert network.fast.item() == pytest.approx(total, rel=1e-5)
    assert network.slow.item() == pytest.approx(0.1 * total, rel=1e-5)


def test_a_group_has_its_own_weight_decay():
    network = nn.Linear(1, 2)
    nn.init.ones_(network.weight)
    nn.init.ones_(network.bias)
    groups = [
        TunedParameters(params=[network.weight], lr_scale=1.0, weight_decay=0.5),
        TunedParameters(params=[network.bias], lr_scale=1.0),
    ]
    loop = TrainingLoop(
        epochs=1,
        batch_size=4,
        optimizer="sgd",
        learning_rate=0.1,
        weight_decay=0.0,
        warmup=0,
        device="cpu",
    )
    loop(Prepared(network=network, parameter_groups=groups), ZEROS, seed=0)
    # inputs are zero: the gradient of the weight is its decay alone, 0.5; the first Nesterov step
    # is rate * (1 + momentum) * gradient, at the middle of the cosine rate = 0.1 / 2
    assert network.weight.flatten().tolist() == pytest.approx([1 - 0.05 * 1.9 * 0.5] * 2)
    assert network.bias[0].item() != pytest.approx(1 - 0.05 * 1.9 * 0.5)


def test_parameters_in_no_group_are_frozen_and_thawed_afterwards(digits):
    network = small()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    head = [network.head.weight, network.head.bias]
    groups = [TunedParameters(params=head, lr_scale=1.0)]
    ONE_THREAD(Prepared(network=network, parameter_groups=groups), digits, seed=0)
    changed = {n for n, v in network.state_dict().items() if not torch.equal(v, before[n])}
    assert changed == {"head.weight", "head.bias"}  # no running statistics either
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_the_penalty_is_part_of_the_loss():
    network = nn.Linear(1, 2)
    losses = []
    prepared = Prepared(
        network=network, parameter_groups=whole(network), penalty=lambda n: n.weight.sum() * 0 + 7.0
    )
    loop = TrainingLoop(epochs=1, batch_size=4, learning_rate=1e-12, weight_decay=0, device="cpu")
    with torch.no_grad():
        network.bias.zero_()
    loop.run(prepared, ZEROS, 0, on_epoch=lambda epoch, loss: losses.append(loss))
    assert losses == [pytest.approx(7 + np.log(2), rel=1e-6)]


def test_a_penalty_pulls_the_weights():
    network = nn.Linear(1, 2)
    prepared = Prepared(
        network=network,
        parameter_groups=whole(network),
        penalty=lambda n: (n.weight - 3).square().sum(),
    )
    loop = TrainingLoop(epochs=400, batch_size=4, learning_rate=0.2, weight_decay=0, device="cpu")
    loop(prepared, ZEROS, seed=0)
    assert network.weight.flatten().tolist() == pytest.approx([3, 3], abs=0.01)


@pytest.mark.parametrize("stop", [1, 3])
def test_a_training_stopped_and_continued_ends_bit_for_bit_as_an_uninterrupted_one(digits, stop):
    whole_run = ONE_THREAD(small(), digits, seed=3)
    network, state = small(), TrainingState()
    ONE_THREAD.run(network, digits, 3, stop_after=stop, state=state)
    assert state.epoch == stop
    assert not torch.equal(weights(network), weights(whole_run))
    torch.rand(5)
    continued, heard = small(seed=9), []
    ONE_THREAD.run(continued, digits, 3, state=state, on_epoch=lambda *told: heard.append(told))
    assert [epoch for epoch, _ in heard] == list(range(stop + 1, 5))
    assert torch.equal(weights(continued), weights(whole_run))


def test_a_saved_state_can_be_continued_more_than_once(digits):
    network, state = small(), TrainingState()
    ONE_THREAD.run(network, digits, 3, stop_after=1, state=state)
    again = deepcopy(state)
    first = weights(ONE_THREAD.run(small(seed=9), digits, 3, state=state))
    assert torch.equal(weights(ONE_THREAD.run(small(seed=8), digits, 3, state=again)), first)


class Jittered(Dataset):
    """Digits with random augmentation from both global generators."""

    def __init__(self, examples):
        self.examples, self.drawn = examples, []

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, index):
        value, target = self.examples[index]
        noise = torch.rand(1) + float(np.random.rand())  # noqa: NPY002
        self.drawn.append(float(noise))
        return value + noise, target


def test_random_augmentation_stays_random_and_follows_the_seed(digits):
    data = Jittered(digits)
    first = weights(ONE_THREAD(small(), data, seed=1))
    assert len(data.drawn) == len(set(data.drawn)) + data.drawn.count(data.drawn[0]) - 1
    assert len(data.drawn) >= 4 * len(digits)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.equal(weights(ONE_THREAD(small(), Jittered(digits), seed=1)), first)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    assert not torch.equal(weights(ONE_THREAD(small(), Jittered(digits), seed=2)), first)


def test_a_users_dataset_trains_as_the_same_examples_do(digits):
    same = TensorDataset(digits.inputs, digits.targets)
    one = ONE_THREAD(small(), digits, seed=1)
    assert torch.equal(weights(one), weights(ONE_THREAD(small(), same, seed=1)))
    assert torch.equal(score_examples(one, digits), score_examples(one, same))


def test_numbers_are_learned_by_squared_error():
    inputs = torch.linspace(-1, 1, 40).unsqueeze(1)
    data = Examples(inputs=inputs, targets=(2 * inputs + 1), class_names=None, name="line")
    network = nn.Linear(1, 1)
    TrainingLoop(epochs=200, batch_size=20, learning_rate=0.1, weight_decay=0, device="cpu")(
        network, data, seed=0
    )
    assert network.weight.item() == pytest.approx(2, abs=0.02)
    assert network.bias.item() == pytest.approx(1, abs=0.02)
    fixed = nn.Linear(1, 1)
    nn.init.zeros_(fixed.weight)
    nn.init.zeros_(fixed.bias)
    assert score_examples(fixed, data)[0].item() == pytest.approx(-1.0)  # (2 * -1 + 1 - 0) ** 2


def test_masks_are_scored_by_the_share_of_pixels():
    masks = torch.tensor([[[0, 1], [1, 1]], [[0, 0], [0, 0]]])
    data = Examples(
        inputs=torch.zeros(2, 1, 2, 2), targets=masks, class_names=("ground", "cell"), name="m"
    )

    class Ones(nn.Module):
        def forward(self, inputs):
            return torch.stack([torch.zeros(len(inputs), 2, 2), torch.ones(len(inputs), 2, 2)], 1)

    assert score_examples(Ones(), data).tolist() == [0.75, 0.0]
    network = nn.Conv2d(1, 2, 1)
    losses = []
    ONE_THREAD.run(network, data, 0, on_epoch=lambda _, loss: losses.append(loss))
    assert losses[-1] < losses[0]


def test_the_device_is_no_part_of_the_identity():
    assert TrainingLoop(device="cpu").identity == TrainingLoop(device="cuda:3").identity
    assert TrainingLoop(epochs=3).identity != TrainingLoop(epochs=4).identity


def test_nothing_to_train_is_refused():
    network = nn.Linear(1, 2)
    with pytest.raises(LegateeError, match="no parameters that can be trained"):
        ONE_THREAD(Prepared(network=network, parameter_groups=[]), ZEROS, seed=0)
