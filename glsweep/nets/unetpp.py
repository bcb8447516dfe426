"""U-Net++: nested skips and deep supervision."""

from typing import ClassVar

from torch import Tensor, nn

from glsweep.nets.cpu import concatenated, doubled
from glsweep.nets.unet import DoubleConv, check_size

DEPTH = 4


class UNetPlusPlus(nn.Module):
    """U-Net++ (Zhou et al. 2018, 2020): 32 to 512 channels, four heads.

    Node x(i, j) convolves the concatenation of x(i, 0..j-1) and the upsampled x(i+1, j-1). At its
    published width it has 130 times the U-Net's parameters: compare architectures at matched
    widths too.

    Parameters
    ----------
    in_channels : int
        Channels of the input.
    base_width : int
        Channels of the first row; each row below has twice as many.
    """

    published_width: ClassVar[int] = 32

    def __init__(self, in_channels: int, base_width: int = published_width) -> None:
        super().__init__()
        widths = [base_width * 2**row for row in range(DEPTH + 1)]
        self.nodes = nn.ModuleDict()
        for row, width in enumerate(widths):
            above = widths[row - 1] if row else in_channels
            self.nodes[f"x{row}0"] = DoubleConv(above, width)
            for column in range(1, DEPTH + 1 - row):
                self.nodes[f"x{row}{column}"] = DoubleConv(column * width + widths[row + 1], width)
        self.pool = nn.MaxPool2d(2)
        self.heads = nn.ModuleList(nn.Conv2d(base_width, 1, 1) for _ in range(DEPTH))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map (N, C, H, W), sides multiples of 16, to the logits (N, 1, H, W) of x01, x02, x03, x04.

        Raises
        ------
        DataError
            When 16 does not divide H and W.
        """
        check_size(image)
        rows: list[list[Tensor]] = []
        for row in range(DEPTH + 1):
            rows.append([self.nodes[f"x{row}0"](self.pool(rows[-1][0]) if row else image)])
        for column in range(1, DEPTH + 1):
            for row in range(DEPTH + 1 - column):
                inputs = [*rows[row], doubled(rows[row + 1][column - 1])]
                rows[row].append(self.nodes[f"x{row}{column}"](concatenated(inputs)))
        return tuple(head(node) for head, node in zip(self.heads, rows[0][1:], strict=True))
