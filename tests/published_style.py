"""The study's networks once more, in plain torch and as public code usually writes them."""

import torch
from torch import nn


class ConvBlock(nn.Module):
    def __init__(self, ch_in, ch_out):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(ch_in, ch_out, kernel_size=3, padding=1, bias=True),
            nn.BatchNorm2d(ch_out),
            nn.ReLU(),
            nn.Conv2d(ch_out, ch_out, kernel_size=3, padding=1, bias=True),
            nn.BatchNorm2d(ch_out),
            nn.ReLU(),
        )

    def forward(self, x):
        return self.conv(x)


class FlatBlock(nn.Module):
    """Both convolutions before both normalisations."""

    def __init__(self, ch_in, ch_out):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(c, ch_out, 3, padding=1) for c in (ch_in, ch_out))
        self.bn1, self.bn2 = nn.BatchNorm2d(ch_out), nn.BatchNorm2d(ch_out)

    def forward(self, x):
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))


class Pyramid(nn.Module):
    def __init__(self, ch):
        super().__init__()
        self.conv1x1 = nn.Conv2d(ch, ch, 1)
        self.atrous = nn.ModuleList(nn.Conv2d(ch, ch, 3, padding=rate, dilation=rate) for rate in (6, 12, 18))
        self.image_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(ch, ch, 1), nn.ReLU())
        self.out = nn.Conv2d(5 * ch, ch, 1)

    def forward(self, x):
        branches = [torch.relu(conv(x)) for conv in (self.conv1x1, *self.atrous)]
        pooled = self.image_pool(x).expand(-1, -1, *x.shape[2:])
        return torch.relu(self.out(torch.cat([*branches, pooled], dim=1)))


class ShuffledPyramid(nn.Module):
    """Its pooling comes first, and its dilations fall; their names say which is which."""

    def __init__(self, ch):
        super().__init__()
        self.global_conv = nn.Conv2d(ch, ch, 1)
        for rate in (18, 12, 6):
            setattr(self, f"d{rate}", nn.Conv2d(ch, ch, 3, padding=rate, dilation=rate))
        self.point = nn.Conv2d(ch, ch, 1)
        self.out = nn.Conv2d(5 * ch, ch, 1)

    def forward(self, x):
        pooled = self.global_conv(x.mean((2, 3), keepdim=True)).expand_as(x)
        parts = [self.point(x), self.d6(x), self.d12(x), self.d18(x), pooled]
        return torch.relu(self.out(torch.relu(torch.cat(parts, dim=1))))


class Gate(nn.Module):
    def __init__(self, F_g, F_l, F_int):  # noqa: N803 (as public code has it)
        super().__init__()
        self.W_g = nn.Sequential(nn.Conv2d(F_g, F_int, 1), nn.BatchNorm2d(F_int))
        self.W_x = nn.Sequential(nn.Conv2d(F_l, F_int, 1), nn.BatchNorm2d(F_int))
        self.psi = nn.Sequential(nn.Conv2d(F_int, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, g, x):
        return x * self.psi(torch.relu(self.W_g(g) + self.W_x(x)))


class SkipFirstGate(Gate):
    def __init__(self, F_g, F_l, F_int):  # noqa: N803
        super().__init__(F_g, F_l, F_int)
        self.psi_, self.W_g_ = self._modules.pop("psi"), self._modules.pop("W_g")

    def forward(self, g, x):
        return x * self.psi_(torch.relu(self.W_g_(g) + self.W_x(x)))


class FlatGate(nn.Module):
    """Normalisations after all convolutions, and in another order; their names say which is which."""

    def __init__(self, F_g, F_l, F_int):  # noqa: N803
        super().__init__()
        self.W_x, self.W_g = nn.Conv2d(F_l, F_int, 1), nn.Conv2d(F_g, F_int, 1)
        self.psi = nn.Conv2d(F_int, 1, 1)
        self.bn_g, self.bn_x, self.bn_psi = nn.BatchNorm2d(F_int), nn.BatchNorm2d(F_int), nn.BatchNorm2d(1)

    def forward(self, g, x):
        summed = torch.relu(self.bn_g(self.W_g(g)) + self.bn_x(self.W_x(x)))
        return x * torch.sigmoid(self.bn_psi(self.psi(summed)))


class PublicUNet(nn.Module):
    """Encoder, pyramid, then for each stage up, gate, block."""

    def __init__(self, *, gated, block=ConvBlock, pyramid=Pyramid, gate=Gate, lists=False):
        super().__init__()
        widths, gates = [4, 8, 16, 32], []
        for n, (i, o) in enumerate(zip([2, *widths[:3]], widths, strict=True), 1):
            setattr(self, f"enc{n}", block(i, o))
        self.pool = nn.MaxPool2d(2)
        self.bottleneck = pyramid(32)
        stages = list(zip([32, 16, 8, 4], [16, 8, 4, 2], [32, 16, 8, 4], strict=True))
        if lists:
            self.ups = nn.ModuleList(nn.ConvTranspose2d(below, out, 2, 2) for below, out, _ in stages)
            self.decs = nn.ModuleList(block(out + skip, out) for _, out, skip in stages)
            gates = [gate(out, skip, out // 2) for _, out, skip in stages] if gated else []
            self.atts = nn.ModuleList(gates)
        else:
            for n, (below, out, skip) in zip((4, 3, 2, 1), stages, strict=True):
                setattr(self, f"up{n}", nn.ConvTranspose2d(below, out, kernel_size=2, stride=2))
                if gated:
                    setattr(self, f"att{n}", gate(out, skip, out // 2))
                setattr(self, f"dec{n}", block(out + skip, out))
        self.final = nn.Conv2d(2, 1, kernel_size=1)
        self.gated, self.lists = gated, lists

    def forward(self, x):
        skips = []
        for n in (1, 2, 3, 4):
            x = getattr(self, f"enc{n}")(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottleneck(x)
        for place, n in enumerate((4, 3, 2, 1)):
            up = self.ups[place] if self.lists else getattr(self, f"up{n}")
            dec = self.decs[place] if self.lists else getattr(self, f"dec{n}")
            x, skip = up(x), skips[n - 1]
            if self.gated:
                skip = (self.atts[place] if self.lists else getattr(self, f"att{n}"))(x, skip)
            x = dec(torch.cat([x, skip], dim=1))
        return self.final(x)


def trained_a_little(seed=0, **style):
    """A network all of whose numbers, running statistics included, differ."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = PublicUNet(**style)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0.2, 0.2)
                nn.init.normal_(module.running_mean, 0, 0.1)
                nn.init.uniform_(module.running_var, 0.2, 0.8)
                module.num_batches_tracked.fill_(7)
    return network.eval()
