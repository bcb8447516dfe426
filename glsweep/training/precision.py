"""In which arithmetic a network's layers are computed in training."""

from contextlib import AbstractContextManager

import torch

from glsweep.config.trial import Precision


def resolve(precision: Precision, device: torch.device) -> torch.dtype:
    """Return what a trial's `precision` is on `device`: float32, or bfloat16 where that is faster.

    Emulated bfloat16 is slower than float32, so `auto` takes it only where the device has it.
    """
    if precision == "auto":
        return torch.bfloat16 if _has_bfloat16(device) else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def computing_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """Let layers compute in `dtype`, with weights that stay as they are.

    For a network alone, not for its loss: sums over all pixels of a batch need float32.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)


def bits(dtype: torch.dtype) -> int:
    """Return how many bits a number has."""
    return 8 * dtype.itemsize


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Without oneDNN there are no kernels that make use of it.
    capabilities = torch.cpu.get_capabilities() if torch.backends.mkldnn.enabled else {}
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
