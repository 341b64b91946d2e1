"""How good a batch of networks is: on its training samples, and on all that it might be shown."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

from legatee.simulator.train import Descent

JITTER = 1e-12  # of the mean variance, so that a covariance without full rank has a factor
SMALLEST = 1e-300  # size of filters that are all but zero


def train_loss(descent: Descent) -> Tensor:
    """Return the mean logistic loss of the training samples.

    Args:
        descent: The networks.

    Returns:
        Loss ``[S]`` [nats].
    """
    return softplus(-descent.lesson.labels * descent.outputs().double()).mean(1)


def train_accuracy(descent: Descent) -> Tensor:
    """Return the share of the training samples that are classified as labelled.

    Args:
        descent: The networks.

    Returns:
        Accuracy ``[S]`` [fraction, 0..1]; an output of 0 counts as half.
    """
    return _right(descent.lesson.labels * descent.outputs().double()).mean(1)


def responses(heard: Tensor) -> Tensor:
    """Return what two-layer networks say of patches, and of their negatives.

    Args:
        heard: What their filters, those of the positive sign first, say of them ``[S, P, R]``.

    Returns:
        Outputs ``[2, S, P]``; those of the patches of a sample add up.
    """
    filters = heard.shape[-1]
    sides = torch.full((filters,), 2 / filters, dtype=heard.dtype, device=heard.device)
    sides[filters // 2 :] *= -1
    says = heard.relu() @ sides
    return torch.stack([says, says - heard @ sides])  # relu(-x) = relu(x) - x


def test_accuracy(
    filters: Tensor,
    signal: Tensor,
    scale: Tensor,
    normals: Tensor,
    respond: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """Estimate the accuracy on fresh samples of a task.

    What the filters say of a fresh noise patch is Gaussian with their own inner products as
    covariance: 2 m numbers a sample, whatever the dimension. Noise and label are independent and
    noise is symmetric, so that every draw stands for four samples: itself and its negative, with
    either label.

    Args:
        filters: The networks' filters, those of the positive sign first ``[S, R, D]``, float64.
        signal: The signal patch of the task ``[S, D]``.
        scale: Standard deviation of a noise patch along each coordinate ``[S, D]``.
        normals: Standard normals in the type to compute in ``[S, draws, >= R]``.
        respond: What the networks make of what their filters hear, see :func:`responses`;
            positively homogeneous.

    Returns:
        Accuracy ``[S]`` [fraction, 0..1], an output of 0 counting as half, and its standard error;
        both NaN where a filter is not finite.
    """
    size = filters.abs().amax((1, 2), keepdim=True).clamp(min=SMALLEST)
    filters = filters / size  # which changes no sign, and keeps squares in range
    seen = filters * scale[:, None]
    covariance = seen @ seen.mT
    jitter = JITTER * covariance.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    eye = torch.eye(filters.shape[1], dtype=filters.dtype, device=filters.device)
    factor, _ = torch.linalg.cholesky_ex(covariance + jitter * eye)
    heard = normals[..., : filters.shape[1]] @ factor.to(normals.dtype).mT
    noise = respond(heard)
    says = (filters @ signal[..., None])[..., 0].to(normals.dtype)
    shown, hidden = respond(says[:, None])
    right = (_right(shown + noise) + _right(-hidden - noise)).mean(0) / 2
    accuracy = right.mean(1)
    # As if one more draw were right and one more wrong: agreement of all draws is no certainty.
    draws = right.shape[1]
    spread = (right.square().sum(1) + 1) / (draws + 2) - ((right.sum(1) + 1) / (draws + 2)) ** 2
    error = (spread / draws).sqrt()
    lost = ~filters.isfinite().all(2).all(1)
    return accuracy.masked_fill(lost, torch.nan), error.masked_fill(lost, torch.nan)


def _right(margins: Tensor) -> Tensor:
    """Return 1 where a margin is positive, half where it is 0, and NaN where it is none."""
    right = (margins > 0).to(margins.dtype) + (margins == 0).to(margins.dtype) / 2
    return right.masked_fill(margins.isnan(), torch.nan)
