"""Two small families of networks for small images, built here rather than by another package."""

from collections import OrderedDict

from torch import Tensor, nn


class Cnn(nn.Module):
    """Two 3x3 convolutions for each width, max-pooling between widths, a linear head.

    Args:
        channels: Channels of the input [count].
        widths: Channels of each stage [count].
        num_classes: Outputs [count].
    """

    def __init__(self, channels: int, widths: tuple[int, ...], num_classes: int):
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for stage, width in enumerate(widths, start=1):
            if stage > 1:
                layers[f"pool{stage - 1}"] = nn.MaxPool2d(2)
            for half in "ab":
                layers[f"conv{stage}{half}"] = nn.Conv2d(channels, width, 3, padding=1, bias=False)
                layers[f"norm{stage}{half}"] = nn.BatchNorm2d(width)
                layers[f"relu{stage}{half}"] = nn.ReLU()
                channels = width
        self.features = nn.Sequential(layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, num_classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits [b, num_classes] of inputs [b, channels, h, w]."""
        return self.head(self.pool(self.features(inputs)).flatten(1))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut around them, projected where the shape changes.

    Args:
        channels: Channels of the input [count].
        width: Channels of the output [count].
        stride: Of the first convolution and the shortcut [pixel].
    """

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if channels != width or stride > 1:
            project = nn.Conv2d(channels, width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(project, nn.BatchNorm2d(width))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return [b, width, h / stride, w / stride] of inputs [b, channels, h, w]."""
        inner = self.norm1(self.conv1(inputs)).relu()
        return (self.norm2(self.conv2(inner)) + self.shortcut(inputs)).relu()


class ResNet(nn.Module):
    """The residual network for small images: three stages, the width doubled at each.

    Args:
        channels: Channels of the input [count].
        depth: Layers with weights along the longest path, 6k + 2 [count].
        width: Channels of the first stage [count].
        num_classes: Outputs [count].
    """

    def __init__(self, channels: int, depth: int, width: int, num_classes: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        blocks = []
        before = width
        for stage in range(3):
            for position in range((depth - 2) // 6):
                stride = 2 if stage and not position else 1
                blocks.append(ResidualBlock(before, width * 2**stage, stride))
                before = width * 2**stage
        self.blocks = nn.Sequential(*blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(before, num_classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits [b, num_classes] of inputs [b, channels, h, w]."""
        features = self.blocks(self.norm(self.conv(inputs)).relu())
        return self.head(self.pool(features).flatten(1))
