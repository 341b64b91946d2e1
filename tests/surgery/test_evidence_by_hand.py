"""What few examples show of a network's channels, worked out by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from legatee.errors import TransferError
from legatee.surgery.network.network import Network
from legatee.surgery.planning.evidence import measure


def through(*rows):
    """A network whose hidden channels are the inputs themselves, behind a ReLU."""
    size = len(rows[0])
    network = nn.Sequential(nn.Linear(size, size, bias=False), nn.ReLU(), nn.Linear(size, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(size))
    return network


def hidden(rows, labels=None, classes=False):
    """What is measured of the hidden channels of such a network."""
    inputs = torch.tensor(rows, dtype=torch.float32)
    network = Network.of(through(*rows), inputs)
    data = inputs if labels is None else (inputs, torch.tensor(labels))
    found = measure(network, data, classes=classes)
    (number,) = network.catalog.groups_along["0.weight", 0]
    return found[number]


@pytest.mark.parametrize("repeats", [1, 3, 50])
def test_a_channel_is_active_on_the_share_of_examples_on_which_it_is_above_zero(repeats):
    """The first is above zero on one of two, the second on both, the third at zero on one."""
    rows = [[1.0, 2.0, 0.0, -1.0], [-1.0, 3.0, -5.0, -2.0]] * repeats
    np.testing.assert_allclose(hidden(rows).active, [0.5, 1, 0, 0])


def test_two_examples_are_enough_and_one_is_not():
    assert hidden([[1.0, 2.0], [3.0, -4.0]]).active.tolist() == [1, 0.5]
    with pytest.raises(TransferError, match=r"data has 1 example; .* needs at least two"):
        hidden([[1.0, 2.0]])


def test_labels_are_not_looked_at_unless_they_are_asked_for():
    rows = [[1.0, 2.0], [3.0, -4.0]]
    with_labels = hidden(rows, labels=[5, 5])
    assert with_labels.active.tolist() == hidden(rows).active.tolist()
    assert len(with_labels.signal) == 0


def test_what_stands_beside_the_inputs_may_be_anything_where_no_labels_are_needed():
    rows = [[1.0, 2.0], [3.0, -4.0]]
    for beside in ([[0.5, 1.0], [2.0, 3.0]], [[[0]], [[1]]]):
        assert hidden(rows, labels=beside).active.tolist() == hidden(rows).active.tolist()


def test_a_signal_is_the_variance_of_the_class_means_over_that_within_classes():
    """Two classes of 1 and of 3 examples. First channel: means 5 and 2, squares within 2."""
    rows = [[5.0, 1.0, 4.0], [1.0, 1.0, 4.0], [2.0, 2.0, 4.0], [3.0, 3.0, 4.0]]
    found = hidden(rows, labels=[7, 0, 0, 0], classes=True)
    between = 1 / 4 * (5 - 2.75) ** 2 + 3 / 4 * (2 - 2.75) ** 2
    within = 2 / 4
    other = (1 / 4 * (1 - 1.75) ** 2 + 3 / 4 * (2 - 1.75) ** 2) / within
    np.testing.assert_allclose(found.signal, [between / within, other, 0], rtol=1e-6)
    assert found.active.tolist() == [1, 1, 1]


def test_classes_that_are_spread_over_batches_are_one_class_each():
    """130 examples are three batches; numpy knows means and variances."""
    rng = np.random.default_rng(1)
    rows, labels = 3 + rng.random((130, 2)), np.arange(130) // 40
    found = hidden(rows.tolist(), labels=labels.tolist(), classes=True)
    groups = [rows[labels == label] for label in range(4)]
    shares = np.array([len(group) / 130 for group in groups])
    means = np.stack([group.mean(0) for group in groups])
    between = (shares[:, None] * (means - rows.mean(0)) ** 2).sum(0)
    within = sum(((group - group.mean(0)) ** 2).sum(0) for group in groups) / 130
    np.testing.assert_allclose(found.signal, between / within, rtol=1e-4)


def test_a_channel_that_only_differs_between_classes_has_a_huge_signal_and_no_infinity():
    found = hidden([[1.0, 1.0], [1.0, 1.0], [2.0, 1.0], [2.0, 1.0]], [0, 0, 1, 1], classes=True)
    assert np.isfinite(found.signal).all()
    assert found.signal[0] > 1e6
    assert found.signal[1] == 0


@pytest.mark.parametrize(("labels", "enough"), [([3, 3], False), ([3, 4], True)])
def test_a_signal_needs_two_classes(labels, enough):
    rows = [[1.0, 2.0], [3.0, 4.0]]
    if enough:
        assert len(hidden(rows, labels, classes=True).signal) == 2
    else:
        with pytest.raises(TransferError, match="labels of one class only"):
            hidden(rows, labels, classes=True)


class Images(nn.Module):
    """A channel that is read by a linear layer at all of its positions."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 2, 1, bias=False), nn.Conv2d(2, 3, 1)
        with torch.no_grad():
            self.first.weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))

    def forward(self, x):
        return self.second(self.first(x)).mean((2, 3))


def test_a_channel_of_an_image_is_active_where_any_of_its_pixels_is():
    images = torch.full((3, 1, 2, 2), -1.0)
    images[0, 0, 1, 1] = 0.5  # one pixel of the first image is above zero
    images[1] = 0.0
    network = Network.of(Images(), images)
    found = measure(network, images)
    (number,) = network.catalog.groups_along["first.weight", 0]
    np.testing.assert_allclose(found[number].active, [1 / 3, 2 / 3])


class Readers(nn.Module):
    """Channels that two layers read, one of them behind a minus."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 2, bias=False)
        self.one, self.two = nn.Linear(2, 2), nn.Linear(2, 3)
        with torch.no_grad():
            self.first.weight.copy_(torch.eye(2))

    def forward(self, x):
        x = self.first(x)
        return torch.cat([self.one(x), self.two(-x)], 1)


def test_what_several_layers_read_is_averaged():
    inputs = torch.tensor([[1.0, 1.0], [2.0, -1.0], [3.0, -1.0], [4.0, -2.0]])
    network = Network.of(Readers(), inputs)
    (number,) = network.catalog.groups_along["first.weight", 0]
    np.testing.assert_allclose(measure(network, inputs)[number].active, [1 / 2, 1 / 2])
    (only,) = [measure(network, inputs[:2])[number]]
    np.testing.assert_allclose(only.active, [1 / 2, 1 / 2])


def test_groups_that_no_layer_reads_are_not_measured():
    rows = [[1.0, 2.0], [3.0, 4.0]]
    network = Network.of(through(*rows), torch.tensor(rows))
    found = measure(network, torch.tensor(rows))
    roles = {group.role: seen for group, seen in zip(network.catalog.groups, found, strict=True)}
    assert roles["class"] is None
    assert roles["hidden"] is not None


@pytest.mark.parametrize("fails", [False, True])
def test_the_mode_of_every_module_is_restored_even_after_a_failure(fails):
    network = through([1.0, 2.0])
    network.train()
    network[1].eval()
    before = torch.backends.mha.get_fastpath_enabled(), torch.is_grad_enabled()
    data = torch.randn(4, 7 if fails else 2)
    source = Network.of(network, torch.zeros(1, 2))
    if fails:
        with pytest.raises(TransferError, match="the source does not run on data: "):
            measure(source, data)
    else:
        measure(source, data)
    assert [module.training for module in network.modules()] == [True, True, False, True]
    assert (torch.backends.mha.get_fastpath_enabled(), torch.is_grad_enabled()) == before
