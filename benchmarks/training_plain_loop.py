"""The loop as the published study ran it: files, a DataLoader, float32, PyTorch's own layers, plain Adam.

It shares our networks' code, whose layers take PyTorch's own way here, and our loss. One patch is one
`.npz` file, turned and mirrored by NumPy when it is read.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from glsweep.config.trial import TrialParameters
from glsweep.nets import build_network
from glsweep.nets.cpu import plain_layers
from glsweep.patches import PatchArrays
from glsweep.training.fit import loss_of


class PatchFiles(Dataset[tuple[Tensor, Tensor]]):
    """Patches of a folder."""

    def __init__(self, folder: Path, *, augmented: bool) -> None:
        self.paths = sorted(folder.glob("*.npz"))
        self.augmented = augmented

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        with np.load(self.paths[index], allow_pickle=False) as file:
            image, mask = file["image"], file["mask"]
        if self.augmented:
            turns, mirrored = np.random.randint(4), np.random.randint(2)  # noqa: NPY002  as is usual
            image, mask = (np.rot90(a, turns, axes=(-2, -1)) for a in (image, mask))
            if mirrored:
                image, mask = image[..., ::-1], mask[..., ::-1]
        return torch.from_numpy(image.copy()), torch.from_numpy(mask.astype(np.float32))


def write_files(patches: PatchArrays, folder: Path) -> Path:
    """Write each patch to a file of its own."""
    folder.mkdir(parents=True)
    for number, (image, mask) in enumerate(zip(patches.image, patches.mask, strict=True)):
        np.savez(folder / f"{number:05d}.npz", image=image, mask=mask)
    return folder


class PlainLoop:
    """One trial of the plain loop."""

    def __init__(
        self,
        parameters: TrialParameters,
        train: Path,
        val: Path,
        device: torch.device,
        *,
        workers: int,
        seed: int = 0,
    ) -> None:
        self.network = build_network(
            parameters.architecture,
            in_channels=len(parameters.channels),
            base_width=parameters.base_width,
            seed=seed,
        ).to(device, memory_format=torch.contiguous_format)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), lr=parameters.learning_rate, weight_decay=parameters.weight_decay
        )
        self.loss = loss_of(parameters)
        self.clip, self.device = parameters.gradient_clip, device
        settings = {"batch_size": parameters.batch_size, "num_workers": workers}
        self.train_loader = DataLoader(PatchFiles(train, augmented=True), shuffle=True, **settings)
        self.val_loader = DataLoader(PatchFiles(val, augmented=False), **settings)

    @plain_layers()
    def train(self) -> None:
        """Train on every patch once."""
        self.network.train()
        total = 0.0
        for batch in self.train_loader:
            image, mask = (tensor.to(self.device) for tensor in batch)
            self.optimizer.zero_grad()
            loss = self.loss(self.network(image), mask)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
            self.optimizer.step()
            total += loss.item()

    @torch.no_grad()
    @plain_layers()
    def validate(self) -> None:
        """Find the loss and the Dice coefficient at a threshold of one half."""
        self.network.eval()
        total = dice = 0.0
        for batch in self.val_loader:
            image, mask = (tensor.to(self.device) for tensor in batch)
            heads = self.network(image)
            total += self.loss(heads, mask).item()
            predicted = heads[-1].squeeze(1).sigmoid() > 0.5
            dice += (2 * (predicted * mask).sum() / (predicted.sum() + mask.sum()).clamp_min(1)).item()
