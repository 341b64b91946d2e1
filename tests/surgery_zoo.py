"""Networks for the tests of surgery: real ones, awkward ones, and plain ways to compare them."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.densenet import DenseNet
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.models.vgg import VGG, make_layers

from legatee.training.models import build

# --- plain references -----------------------------------------------------------------------------


def spread(available: int, wanted: int) -> list[int]:
    """The published weight-selection formula: a stride if it divides, else round(linspace)."""
    if available % wanted == 0:
        return list(range(0, available, available // wanted))
    return torch.round(torch.linspace(0, available - 1, wanted)).long().tolist()


def positions(text: str) -> list[int]:
    """Positions as a plan writes them, read the naive way."""
    runs = [[int(n) for n in run.split(":")] for run in text.split(",") if run]
    return [i for run in runs for i in range(*run)]


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer, the unsaved ones too, copied; by name, ties many times."""
    found = dict(network.named_parameters(remove_duplicate=False))
    found |= dict(network.named_buffers(remove_duplicate=False))
    return {name: tensor.detach().clone() for name, tensor in found.items()}


def bits(tensor: Tensor) -> bytes:
    """Every bit of a tensor, so that NaN equals NaN and -0 does not equal 0."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        one[n].shape == other[n].shape
        and one[n].dtype == other[n].dtype
        and (torch.equal(one[n], other[n]) or bits(one[n]) == bits(other[n]))
        for n in one
    )


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    return [n for n in one if bits(one[n]) != bits(other[n])]


def saved(network: nn.Module) -> dict[str, Tensor]:
    """The live tensors of the state, ties once."""
    seen: set[int] = set()
    live = dict(network.named_parameters(remove_duplicate=False))
    live |= dict(network.named_buffers(remove_duplicate=False))
    result = {}
    for name in network.state_dict():
        if id(live[name]) not in seen:
            seen.add(id(live[name]))
            result[name] = live[name]
    return result


def outputs(network: nn.Module, shape: Iterable[int], items: int = 3) -> Tensor:
    """What a network says in evaluation about noise; its mode is put back."""
    inputs = torch.randn((items, *shape), generator=torch.Generator().manual_seed(99))
    modes = {module: module.training for module in network.modules()}
    dtype = next(network.parameters()).dtype
    with torch.no_grad():
        result = network.eval()(inputs.to(dtype))
    for module, mode in modes.items():
        module.training = mode
    return result


def scrambled(network: nn.Module, seed: int) -> nn.Module:
    """Give every element a value of its own, normalisation too; outputs stay of order one."""
    rng = torch.Generator().manual_seed(seed)

    def normal(tensor: Tensor, scale: float) -> None:
        tensor.copy_(torch.randn(tensor.shape, generator=rng) * scale)

    norms = {
        f"{name}.": module
        for name, module in network.named_modules()
        if hasattr(module, "running_mean") or isinstance(module, nn.GroupNorm | nn.LayerNorm)
    }
    with torch.no_grad():
        for name, tensor in saved(network).items():
            layer, _, last = name.rpartition(".")
            if not tensor.is_floating_point():
                tensor.fill_(bool(seed % 2) if tensor.dtype == torch.bool else 1000 + seed)
            elif last == "running_var" or (f"{layer}." in norms and last == "weight"):
                tensor.copy_(torch.rand(tensor.shape, generator=rng) + 0.5)
            elif tensor.dim() < 2:
                normal(tensor, 0.3)
            else:
                normal(tensor, (2 / max(1, tensor[0].numel())) ** 0.5)
    return network


def poisoned(network: nn.Module) -> nn.Module:
    """Make every element of the state a value that no source holds: NaN, or -7."""
    with torch.no_grad():
        for tensor in saved(network).values():
            if tensor.is_floating_point():
                tensor.fill_(float("nan"))
            elif tensor.dtype != torch.bool:
                tensor.fill_(-7)
    return network


def cured(tensor: Tensor) -> int:
    """Elements that are poison no longer [count]."""
    return int((~tensor.isnan() if tensor.is_floating_point() else tensor != -7).sum())


def blank(make: Callable[[], nn.Module]) -> nn.Module:
    """Build a network without spending time on its first weights, which are arbitrary."""
    with torch.device("meta"):
        network = make()
    return network.to_empty(device="cpu")


# --- real networks --------------------------------------------------------------------------------


def vgg11(widths: tuple[int, ...], hidden: int, classes: int = 4) -> nn.Module:
    """torchvision's vgg11_bn with its 7 x 7 flattening, widths scaled and few hidden units."""
    a, b, c, d = widths
    cfg = [a, "M", b, "M", c, c, "M", d, d, "M", d, d, "M"]
    network = VGG(make_layers(cfg, batch_norm=True), num_classes=classes, init_weights=False)
    network.classifier = nn.Sequential(
        nn.Linear(d * 49, hidden), nn.ReLU(), nn.Dropout(), nn.Linear(hidden, classes)
    )
    return network


def bottleneck(width: int, groups: int = 1, classes: int = 4) -> nn.Module:
    return ResNet(
        Bottleneck, [1, 1, 1, 1], groups=groups, width_per_group=width, num_classes=classes
    )


def densenet(growth: int, first: int, classes: int = 4) -> nn.Module:
    return DenseNet(growth, (2, 3), first, bn_size=2, num_classes=classes)


def small_resnet(width: int, classes: int = 4, depth: int = 8) -> nn.Module:
    return build(f"resnet:depth={depth},width={width}", classes=classes, shape=(3, 16, 16), seed=0)


def cnn(widths: str, classes: int = 4) -> nn.Module:
    return build(f"cnn:widths={widths}", classes=classes, shape=(3, 16, 16), seed=0)


REAL: dict[str, Callable[[], nn.Module]] = {
    "resnet18": models.resnet18,
    "resnet34": models.resnet34,
    "resnet50": lambda: models.resnet50(num_classes=10),
    "vgg11_bn": lambda: vgg11((64, 128, 256, 512), 64),
    "densenet121": lambda: models.densenet121(num_classes=10),
    "resnext50": lambda: models.resnext50_32x4d(num_classes=10),
    "mobilenet_v3_small": models.mobilenet_v3_small,
    "cnn": lambda: cnn("24-48"),
    "resnet8": lambda: small_resnet(16),
}

# --- awkward networks: each takes a width and sees images (3, 8, 8) -------------------------------


class Net(nn.Module):
    """A stem of ``width`` channels, a body, the mean over the image, a head of four classes."""

    def __init__(self, width: int):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.head = nn.Linear(width, 4)

    def body(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.stem(x).relu()).mean((2, 3)))


class Tied(Net):
    """Two layers that are the same parameter."""

    def __init__(self, width: int):
        super().__init__(width)
        self.one = nn.Conv2d(width, width, 3, padding=1)
        self.two = nn.Conv2d(width, width, 3, padding=1)
        self.two.weight = self.one.weight

    def body(self, x: Tensor) -> Tensor:
        return self.two(self.one(x).relu()).relu()


class Twice(Net):
    """One layer used twice."""

    def __init__(self, width: int):
        super().__init__(width)
        self.again = nn.Conv2d(width, width, 3, padding=1)

    def body(self, x: Tensor) -> Tensor:
        return self.again(self.again(x).relu()).relu()


class Concat(Net):
    """Branches of unequal width side by side, and the input of the body beside them."""

    def __init__(self, width: int):
        super().__init__(width)
        self.left = nn.Conv2d(width, width, 1)
        self.right = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.norm = nn.BatchNorm2d(4 * width)
        self.join = nn.Conv2d(4 * width, width, 1)

    def body(self, x: Tensor) -> Tensor:
        joined = torch.cat([self.right(x), x, self.left(x)], dim=1)
        return self.join(self.norm(joined).relu()).relu()


class Flat(Net):
    """A flattening with more than one position into a linear layer."""

    def __init__(self, width: int):
        super().__init__(width)
        self.mix = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.adaptive_avg_pool2d(self.stem(x).relu(), 2)
        return self.head(self.mix(x.flatten(1)).relu())


class Grouped(Net):
    """Grouped, depthwise and pointwise convolutions."""

    def __init__(self, width: int):
        super().__init__(width)
        self.grouped = nn.Conv2d(width, width, 3, padding=1, groups=2)
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.pointwise = nn.Conv2d(width, width, 1)

    def body(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(self.grouped(x).relu()).relu()).relu()


class Squeeze(Net):
    """Squeeze and excite."""

    def __init__(self, width: int):
        super().__init__(width)
        self.down = nn.Linear(width, width // 2)
        self.up = nn.Linear(width // 2, width)

    def body(self, x: Tensor) -> Tensor:
        gate = self.up(self.down(x.mean((2, 3))).relu()).sigmoid()
        return x * gate[:, :, None, None]


class Broadcast(Net):
    """Parameters of its own: a shift (1, c, 1, 1), a scale (c, 1, 1), a gain () and a residual."""

    def __init__(self, width: int):
        super().__init__(width)
        self.shift = nn.Parameter(torch.zeros(1, width, 1, 1))
        self.scale = nn.Parameter(torch.zeros(width, 1, 1))
        self.gain = nn.Parameter(torch.tensor(1.0))
        self.inner = nn.Conv2d(width, width, 3, padding=1)

    def body(self, x: Tensor) -> Tensor:
        return x + (self.inner(x + self.shift) * self.scale * self.gain).relu()


class NonPersistent(Net):
    """A buffer that is no part of the state."""

    def __init__(self, width: int):
        super().__init__(width)
        self.register_buffer("grid", torch.linspace(-1, 1, 8), persistent=False)

    def body(self, x: Tensor) -> Tensor:
        return x + self.grid


class Bare(Net):
    """No bias, and normalisation without weights."""

    def __init__(self, width: int):
        super().__init__(width)
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width, affine=False)
        self.inner = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.batch = nn.BatchNorm2d(width, track_running_stats=False)

    def body(self, x: Tensor) -> Tensor:
        return self.batch(self.inner(self.norm(x).relu())).relu()


class Counters(Net):
    """Scalar buffers of three types; one is ``None``."""

    def __init__(self, width: int):
        super().__init__(width)
        self.register_buffer("steps", torch.tensor(5))
        self.register_buffer("scale", torch.tensor(0.5))
        self.register_buffer("ready", torch.tensor(True))
        self.register_buffer("absent", None)
        self.norm = nn.BatchNorm2d(width)

    def body(self, x: Tensor) -> Tensor:
        return self.norm(x) * self.scale


class Transposed(Net):
    """Output channels on axis 1."""

    def __init__(self, width: int):
        super().__init__(width)
        self.up = nn.ConvTranspose2d(width, width // 2, 2, stride=2)
        self.back = nn.Conv2d(width // 2, width, 1)

    def body(self, x: Tensor) -> Tensor:
        return self.back(self.up(x).relu()).relu()


class Gated(Net):
    """A layer cut in two halves that are multiplied."""

    def __init__(self, width: int):
        super().__init__(width)
        self.both = nn.Conv2d(width, 2 * width, 3, padding=1)

    def body(self, x: Tensor) -> Tensor:
        value, gate = self.both(x).chunk(2, dim=1)
        return value * gate.sigmoid()


class Shuffled(Net):
    """Channel shuffle between grouped convolutions."""

    def __init__(self, width: int):
        super().__init__(width)
        self.one = nn.Conv2d(width, width, 1, groups=2)
        self.two = nn.Conv2d(width, width, 1, groups=2)

    def body(self, x: Tensor) -> Tensor:
        x = self.one(x).relu()
        x = x.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)
        return self.two(x).relu()


class Normed(Net):
    """Group and layer normalisation, whose statistics run over channels."""

    def __init__(self, width: int):
        super().__init__(width)
        self.group = nn.GroupNorm(2, width)
        self.layer = nn.LayerNorm(width)

    def body(self, x: Tensor) -> Tensor:
        x = self.group(x).relu()
        return self.layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).relu()


class Inner(Net):
    """A child whose name is that of a wrapper's prefix."""

    def __init__(self, width: int):
        super().__init__(width)
        self.module = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU())

    def body(self, x: Tensor) -> Tensor:
        return self.module(x)


ZOO: dict[str, Callable[[int], nn.Module]] = {
    kind.__name__.lower(): kind
    for kind in (
        Tied,
        Twice,
        Concat,
        Flat,
        Grouped,
        Squeeze,
        Broadcast,
        NonPersistent,
        Bare,
        Counters,
        Transposed,
        Gated,
        Shuffled,
        Normed,
        Inner,
    )
}


class Untraceable(nn.Module):
    """Needs an argument that nobody can guess."""

    def __init__(self, width: int):
        super().__init__()
        self.layer = nn.Linear(3, width)
        self.head = nn.Linear(width, 4)

    def forward(self, x: dict[str, Tensor], *, key: str) -> Tensor:
        return self.head(self.layer(x[key]).relu())


# --- silencing ------------------------------------------------------------------------------------


def silence(network: nn.Module, kept: dict[str, list[int]]) -> nn.Module:
    """Make every channel outside ``kept`` (by module) zero wherever it is produced."""
    for name, module in network.named_modules():
        if name not in kept:
            continue
        axis = 1 if isinstance(module, nn.ConvTranspose2d) else 0
        tensors = [(module.weight, axis)] if getattr(module, "weight", None) is not None else []
        if getattr(module, "bias", None) is not None:
            tensors.append((module.bias, 0))
        if isinstance(module, nn.BatchNorm2d) and not module.affine:
            tensors.append((module.running_mean, 0))
        for tensor, along in tensors:
            silent = sorted(set(range(tensor.shape[along])) - set(kept[name]))
            with torch.no_grad():
                tensor.index_fill_(along, torch.tensor(silent, dtype=torch.long), 0)
    return network


def channels(module: nn.Module) -> int:
    """Channels that a layer puts out [count], 0 for what is not such a layer."""
    if isinstance(module, nn.ConvTranspose2d):
        return module.weight.shape[1]
    if isinstance(module, nn.Conv2d | nn.Linear):
        return module.weight.shape[0]
    return module.num_features if isinstance(module, nn.BatchNorm2d) else 0


def evenly(wide: nn.Module, narrow: nn.Module, head: str) -> dict[str, list[int]]:
    """Channels that the uniform rule keeps in each layer of ``wide``, where each is one group."""
    other = dict(narrow.named_modules())
    return {
        name: spread(channels(module), channels(other[name]))
        for name, module in wide.named_modules()
        if channels(module) and name != head
    }
