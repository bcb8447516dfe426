"""U-Net with a second head, which tells floating ice from grounded ice."""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from glsweep.nets.unet import PUBLISHED_RATES, UNet, check_size


class TwoHeadUNet(UNet):
    """The `UNet` with a head for the zone beside that for the line, both on the same features.

    A line is where zones meet, so a network that must know the side of each pixel has more to learn from than
    the few pixels of the line. Where there is no data is known from the data. The zone's head is learnt from
    a card's `layout.grounded`, with the share `zone_weight` of the loss.

    Parameters
    ----------
    in_channels, base_width, aspp_rates, dropout
        See `UNet`.
    """

    zone_head: ClassVar[bool] = True

    def __init__(
        self,
        in_channels: int,
        base_width: int = UNet.published_width,
        aspp_rates: Sequence[int] = PUBLISHED_RATES,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(in_channels, base_width, aspp_rates, dropout)
        self.zone = nn.Conv2d(self.head.in_channels, 1, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map (N, C, H, W) to the logits (N, 1, H, W) of floating ice and of the line.

        Raises
        ------
        DataError
            When 16 does not divide H and W.
        """
        check_size(image)
        features = self.features(image)
        return self.zone(features), self.head(features)
