"""The small residual network behind the probe `synthetic`, in torchvision's layout.

It is trained by `python -m data_scripts.probe.train` on a procedural world that no library uses,
and has the role that an ImageNet network has for photographs.
"""

from __future__ import annotations

from torch import Tensor, nn

STEM = 16
WIDTHS = (16, 32, 64, 128)
BLOCKS = (1, 1, 1, 1)


class Block(nn.Module):
    """Two 3x3 convolutions with BatchNorm around a shortcut (He et al. 2016, Fig. 2)."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = None
        if stride != 1 or width_in != width:
            self.downsample = nn.Sequential(
                nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        """`[N, width_in, H, W]` to `[N, width, H / stride, W / stride]`."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(x)) + shortcut)


class SyntheticNet(nn.Module):
    """A residual network for 48 px images: 12 convolutions, 720 filters, 308,000 weights.

    The attributes have torchvision's names (`conv1`, `bn1`, `layer1` to `layer4`, `avgpool`, `fc`),
    so code for its ResNets works with this network; the features are the input of `fc`.

    Args:
        num_classes: number of outputs of `fc`.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        # a stride instead of pooling in the stem: at 48 px it costs half and loses little
        self.conv1 = nn.Conv2d(3, STEM, 5, 2, 2, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM)
        self.relu = nn.ReLU(inplace=True)
        width_in = STEM
        layers: list[nn.Module] = []
        for width, blocks in zip(WIDTHS, BLOCKS, strict=True):
            stride = 2 if layers else 1
            layer = [Block(width_in, width, stride)]
            layer += [Block(width, width, 1) for _ in range(blocks - 1)]
            layers.append(nn.Sequential(*layer))
            width_in = width
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width_in, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """`[N, 3, H, W]` (H, W at least 16, meant for 48) to logits `[N, num_classes]`."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))
