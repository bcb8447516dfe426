"""Trains each network for two steps and prints by how many bytes this process grew meanwhile.

Usage: trained_memory.py ARCHITECTURE:BASE_WIDTH:PATCH_SIZE_PX:BATCH_SIZE ...
"""

import gc
import sys
from pathlib import Path

import torch
from doctor_needs import parameters

from glsweep.config.trial import TrialParameters
from glsweep.losses import GroundingLineLoss
from glsweep.training.state import fresh_state


def train(trial: TrialParameters) -> None:
    """Train as `fit` does, on patches at random."""
    size_px, generator = trial.patch_size_px, torch.Generator().manual_seed(0)
    state = fresh_state(trial, seed=0, device=torch.device("cpu"))
    loss = GroundingLineLoss(fn_weight=0.7, fp_weight=0.3, gamma=1.33, bce_weight=0.2)
    image = torch.randn(trial.batch_size, 2, size_px, size_px, generator=generator)
    mask = (torch.rand(trial.batch_size, size_px, size_px, generator=generator) > 0.98).to(torch.uint8)
    for _ in range(2):
        state.optimizer.zero_grad(set_to_none=True)
        loss(state.network(image), mask).backward()
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), trial.gradient_clip)
        state.optimizer.step()


def status_bytes(key: str) -> int:
    """Return a line of this process's status, such as its memory now (VmRSS) or at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def main() -> None:
    torch.set_num_threads(1)
    train(parameters("unet", 32, base_width=2, batch_size=2))  # what is loaded once is no trial's memory
    for named in sys.argv[1:]:
        architecture, base_width, patch_size_px, batch_size = named.split(":")
        gc.collect()
        before = status_bytes("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # sets the peak back
        train(
            parameters(
                architecture, int(patch_size_px), base_width=int(base_width), batch_size=int(batch_size)
            )
        )
        sys.stdout.write(f"{status_bytes('VmHWM') - before}\n")


if __name__ == "__main__":
    main()
