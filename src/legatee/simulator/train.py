"""Full-batch gradient descent on the logistic loss, in coordinates that are enough.

A filter is ``kept * w_0 + c S + sum_i C_i xi_i`` throughout: its start, the signal patch S of the
task, and the noise patches xi_i of the training samples. So a run is known by its coefficients, and
a step needs the patches only through their inner products.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import pad

from legatee.simulator.kernel import block_width, descend
from legatee.simulator.span import by_samples


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What a batch of ``S`` runs is trained on, float64.

    Attributes:
        patches: Noise patches of the training samples ``[S, N, D]``.
        signal: The signal patch ``[S, D]``.
        labels: Labels, -1 or 1 ``[S, N]``.
        signs: Whether a sample shows the signal patch or its negative ``[S, N]``.
        eta: Learning rate ``[S]``.
        weight_decay: Pull of the weights towards 0 ``[S]``.
        l2_sp: Pull of the weights towards where they start ``[S]``.
        filters: Filters of both signs of the networks that learn it [count].
        dtype: What the descent computes in.
    """

    patches: Tensor
    signal: Tensor
    labels: Tensor
    signs: Tensor
    eta: Tensor
    weight_decay: Tensor
    l2_sp: Tensor
    filters: int
    dtype: torch.dtype

    @property
    def by_samples(self) -> bool:
        """Whether a step goes through inner products rather than through the patches."""
        return by_samples(*self.patches.shape[1:])

    @cached_property
    def gram(self) -> Tensor:
        """Inner products of the patches ``[S, N, N]``, rounded only once they are complete."""
        return (self.patches @ self.patches.mT).to(self.dtype)

    @property
    def width(self) -> int:
        """Samples that the compiled descent takes in a block [count]."""
        samples = self.patches.shape[1]
        return block_width(samples, self.filters) if self.by_samples else samples

    @cached_property
    def dealt_gram(self) -> Tensor:
        """:attr:`gram` in square blocks ``[S, K, K, width, width]``."""
        rows = pad(self.gram, (0, 0, 0, -self.gram.shape[1] % self.width))
        return _deal(rows, self.width).unflatten(2, (-1, self.width))

    @cached_property
    def squared_norms(self) -> Tensor:
        """Squared norms of the patches ``[S, N]``."""
        return self.patches.square().sum(-1)

    @cached_property
    def along(self) -> Tensor:
        """Inner products of the patches and the signal ``[S, N]``; 0 if these are orthogonal."""
        return (self.patches @ self.signal[..., None])[..., 0].to(self.dtype)

    @cached_property
    def norm(self) -> Tensor:
        """Squared norm of the signal patch ``[S]``."""
        return self.signal.square().sum(-1).to(self.dtype)

    @cached_property
    def keep(self) -> Tensor:
        """What a step leaves of a weight ``[S]``."""
        return 1 - self.eta * (self.weight_decay + self.l2_sp)


class Descent:
    """A batch of networks on their way from their initial filters.

    Args:
        lesson: What they are trained on.
        filters: Where they start, the filters of the positive sign first ``[S, R, D]``, float64.

    Attributes:
        C: Coefficients on the noise patches ``[S, R, N]``.
        c: Coefficients on the signal patch ``[S, R]``.
        B: Pre-activations on the noise patches ``[S, R, N]``, at the start ``B_start``.
        a: Pre-activations on the signal patch ``[S, R]``, at the start ``a_start``.
        kept: What is left of the initial filters ``[S]``.
        compiled: Whether runs are taken one by one through compiled code, as on the CPU, or all
            at once through PyTorch; both do the same.
    """

    def __init__(self, lesson: Lesson, filters: Tensor):
        self.lesson, self.start = lesson, filters
        self.B = (filters @ lesson.patches.mT).to(lesson.dtype)
        self.a = (filters @ lesson.signal[..., None])[..., 0].to(lesson.dtype)
        self.C, self.c = torch.zeros_like(self.B), torch.zeros_like(self.a)
        self.B_start, self.a_start = self.B.clone(), self.a.clone()
        self.kept = torch.ones_like(lesson.eta)
        self.compiled = filters.device.type == "cpu"
        ones = torch.ones(filters.shape[1] // 2, dtype=lesson.dtype, device=filters.device)
        self.sides = torch.cat([ones, -ones]) / len(ones)

    def advance(self, steps: int) -> None:
        """Take steps of gradient descent.

        Args:
            steps: How many [count].
        """
        if self.compiled:
            self._advance_compiled(steps)
        else:
            self._advance_batched(steps)
        # Decay and the pull towards the start are in balance at this share of the start.
        both = self.lesson.weight_decay + self.lesson.l2_sp
        balance = torch.where(both > 0, self.lesson.l2_sp / both, 0)
        self.kept = balance + (self.kept - balance) * self.lesson.keep**steps
        self.__dict__.pop("weights", None)  # they have moved

    def outputs(self) -> Tensor:
        """Return what the networks say of their training samples ``[S, N]``."""
        signal = self.a[..., None] * self.lesson.signs[:, None].to(self.a.dtype)
        return ((signal.relu() + self.B.relu()) * self.sides[:, None]).sum(1)

    @cached_property
    def weights(self) -> Tensor:
        """The filters as they are now ``[S, R, D]``, float64."""
        learned = self.C.double() @ self.lesson.patches
        along = self.c.double()[..., None] * self.lesson.signal[:, None]
        return self.kept[:, None, None] * self.start + learned + along

    def _rate(self) -> Tensor:
        """Return the learning rate divided by samples and filters per sign ``[S]``."""
        filters, samples = self.B.shape[1:]
        return self.lesson.eta / (samples * (filters / 2))

    def _backs(self) -> tuple[Tensor, Tensor]:
        """Return what the pull towards the start adds to ``B`` and ``a``, empty if nothing."""
        lesson = self.lesson
        pulls = (lesson.eta * lesson.l2_sp).to(self.B.dtype)[:, None]
        if not pulls.any():
            return self.B[..., :0], self.a[:, :0]
        return pulls[..., None] * self.B_start, pulls * self.a_start

    def _advance_batched(self, steps: int) -> None:
        """Take all runs a step on at a time: the readable twin, and what a GPU is good at."""
        lesson, dtype = self.lesson, self.B.dtype
        rate = self._rate().to(dtype)[:, None] * lesson.labels.to(dtype)
        labels, keep = lesson.labels.to(dtype), lesson.keep.to(dtype)[:, None]
        signs, side = self.sides.sign(), self.sides.sign()[:, None]
        shows = (lesson.signs > 0).to(dtype)
        patches = lesson.patches.to(dtype)
        B_back, a_back = self._backs()
        for _ in range(steps):
            q = rate * torch.sigmoid(-labels * self.outputs())
            change = side * q[:, None] * (self.B > 0)
            shown, hidden = (q * shows).sum(1, True), -(q * (1 - shows)).sum(1, True)
            learned = signs * (shown * (self.a > 0) + hidden * (self.a < 0))
            by_noise = change @ lesson.gram if lesson.by_samples else change @ patches @ patches.mT
            by_signal = learned[..., None] * lesson.along[:, None]
            heard = (change @ lesson.along[..., None])[..., 0]
            self.B = keep[..., None] * self.B + by_noise + by_signal
            self.a = keep * self.a + learned * lesson.norm[:, None] + heard
            self.C = keep[..., None] * self.C + change
            self.c = keep * self.c + learned
            if a_back.numel():
                self.B, self.a = self.B + B_back, self.a + a_back

    def _advance_compiled(self, steps: int) -> None:
        """Take one run after another through all its steps, in the processor's caches."""
        lesson, dtype = self.lesson, self.B.dtype
        samples = self.B.shape[2]
        width = lesson.width
        B, C = _deal(self.B, width), _deal(self.C, width)
        along, labels, signs = (
            _deal(x.to(dtype)[:, None], width)[:, :, 0].contiguous()
            for x in (lesson.along, lesson.labels, lesson.signs)
        )
        none = torch.zeros(len(B), 0, 0, dtype=dtype)
        B_back, a_back = self._backs()
        descend(
            B.numpy(),
            C.numpy(),
            self.a.numpy(),
            self.c.numpy(),
            (lesson.dealt_gram if lesson.by_samples else none[:, None, None]).numpy(),
            (none if lesson.by_samples else lesson.patches.to(dtype)).numpy(),
            along.numpy(),
            labels.numpy(),
            signs.numpy(),
            lesson.norm.numpy(),
            self._rate().to(dtype).numpy(),
            lesson.keep.to(dtype).numpy(),
            (_deal(B_back, width) if B_back.numel() else none[:, None]).numpy(),
            a_back.numpy(),
            steps,
        )
        self.B, self.C = _collect(B, samples), _collect(C, samples)


def _deal(rows: Tensor, width: int) -> Tensor:
    """Deal the last axis into blocks, padded with zeros: [S, R, N] to [S, K, R, width]."""
    whole = pad(rows, (0, -rows.shape[-1] % width))
    return whole.unflatten(-1, (-1, width)).transpose(1, 2).contiguous()


def _collect(blocks: Tensor, samples: int) -> Tensor:
    """Put blocks back together: [S, K, R, width] to [S, R, N]."""
    return blocks.transpose(1, 2).flatten(2)[..., :samples].contiguous()
