"""Networks for the tests of surgery: real ones and awkward ones."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.densenet import DenseNet
from torchvision.models.resnet import Bottleneck, ResNet
from torchvision.models.vgg import VGG, make_layers

from legatee.models.build import build

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
    return build(
        f"resnet:depth={depth},width={width}", num_classes=classes, input_shape=(3, 16, 16), seed=0
    )


def cnn(widths: str, classes: int = 4) -> nn.Module:
    return build(f"cnn:widths={widths}", num_classes=classes, input_shape=(3, 16, 16), seed=0)


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
