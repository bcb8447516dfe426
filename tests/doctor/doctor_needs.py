"""What trials need, and a node, for the doctor's tests."""

from typing import Any

from glsweep.config.trial import TrialParameters
from glsweep.doctor.nodes import Node

NODE = Node("ab12", "192.0.2.7", {"CPU": 16.0, "GPU": 2.0, "memory": 32.0 * 2**30})


def parameters(
    architecture: str, patch_size_px: int, *, base_width: int | None = None, batch_size: int = 25
) -> TrialParameters:
    """A trial of which only the sizes matter."""
    settings: dict[str, Any] = {
        "fn_weight": 0.7,
        "fp_weight": 0.3,
        "gamma": 1.33,
        "bce_weight": 0.2,
        "learning_rate": 1e-3,
        "weight_decay": 1e-5,
        "gradient_clip": 1.0,
        "channels": ("real", "imag"),
        "augmentation": (),
    }
    return TrialParameters(
        architecture=architecture,
        patch_size_px=patch_size_px,
        base_width=base_width,
        batch_size=batch_size,
        **settings,
    )
