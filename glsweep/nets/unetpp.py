"""U-Net++: nested skips and deep supervision."""

from typing import ClassVar, Literal, get_args

from torch import Tensor, nn

from glsweep.config.trial import UNETPP_DEPTH
from glsweep.errors import ConfigError
from glsweep.nets.cpu import concatenated, doubled
from glsweep.nets.unet import DoubleConv, check_size

Upsampling = Literal["bilinear", "transposed"]


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
    upsampling : {"bilinear", "transposed"}
        How a map is doubled: as in the study, or by a transposed 2x2 convolution that halves its channels, as
        in the U-Net.
    depth : int
        Columns and heads, from 1 to 4. A network that was trained with all of them can be cut down to fewer,
        see `pruned`: the nodes x(i, j) with i + j up to the depth need no others.
    dropout : float
        Share of the feature maps that each node drops in training.

    Raises
    ------
    ConfigError
        When upsampling or depth is none of these.
    """

    published_width: ClassVar[int] = 32

    def __init__(
        self,
        in_channels: int,
        base_width: int = published_width,
        upsampling: Upsampling = "bilinear",
        depth: int = UNETPP_DEPTH,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if upsampling not in get_args(Upsampling):
            known = ", ".join(get_args(Upsampling))
            raise ConfigError(f"unetpp.upsampling: {upsampling} is unknown; choose among {known}")
        if depth not in range(1, UNETPP_DEPTH + 1):
            raise ConfigError(
                f"unetpp.depth: {depth} is not between 1 and {UNETPP_DEPTH}; choose one that is"
            )
        self.depth = depth
        widths = [base_width * 2**row for row in range(depth + 1)]
        is_learnt = upsampling == "transposed"
        self.nodes, self.ups = nn.ModuleDict(), nn.ModuleDict()
        for row, width in enumerate(widths):
            above = widths[row - 1] if row else in_channels
            self.nodes[f"x{row}0"] = DoubleConv(above, width, dropout)
            for column in range(1, depth + 1 - row):
                below = widths[row + 1]
                if is_learnt:
                    self.ups[f"x{row}{column}"] = nn.ConvTranspose2d(below, width, 2, stride=2)
                inputs = column * width + (width if is_learnt else below)
                self.nodes[f"x{row}{column}"] = DoubleConv(inputs, width, dropout)
        self.pool = nn.MaxPool2d(2)
        self.heads = nn.ModuleList(nn.Conv2d(base_width, 1, 1) for _ in range(depth))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map (N, C, H, W), sides multiples of 16, to the logits (N, 1, H, W) of x01 to x0`depth`.

        Raises
        ------
        DataError
            When 16 does not divide H and W.
        """
        check_size(image)
        rows: list[list[Tensor]] = []
        for row in range(self.depth + 1):
            rows.append([self.nodes[f"x{row}0"](self.pool(rows[-1][0]) if row else image)])
        for column in range(1, self.depth + 1):
            for row in range(self.depth + 1 - column):
                name = f"x{row}{column}"
                below = rows[row + 1][column - 1]
                up = self.ups[name](below) if name in self.ups else doubled(below)
                rows[row].append(self.nodes[name](concatenated([*rows[row], up])))
        return tuple(head(node) for head, node in zip(self.heads, rows[0][1:], strict=True))


def pruned(state: dict[str, Tensor], depth: int) -> dict[str, Tensor]:
    """Return the weights of a U-Net++ that its part of this depth needs (Zhou et al. 2018, section 3.2).

    Its last head answers as the head x0`depth` of the whole does.

    Parameters
    ----------
    state : dict of str to Tensor
        The state dict of a network that is deeper, or as deep.
    depth : int
        From 1 to 4.
    """

    def is_needed(name: str) -> bool:
        kind, part, *_ = name.split(".")
        return int(part) < depth if kind == "heads" else int(part[1]) + int(part[2]) <= depth

    return {name: tensor for name, tensor in state.items() if is_needed(name)}
