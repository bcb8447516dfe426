"""A member as MLflow serves it; this file is stored with each registered model and run to load it.

Nothing is unpickled: the weights are safetensors and the card is JSON.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from glsweep.nets.member import line_probability, load_member

MEMBER = "member"
BATCH_PATCHES = 16


class ServedMember(PythonModel):  # type: ignore[misc]
    """Predicts the probability of a line from interferograms."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the member's folder, which lies among the model's artifacts."""
        self._network, self._card = load_member(Path(context.artifacts[MEMBER]))

    @torch.inference_mode()
    def predict(
        self,
        context: PythonModelContext,
        # MLflow reads this hint, and warns of any other, such as one with a dtype.
        model_input: np.ndarray,
        params: dict[str, object] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Return the probability of each pixel, (N, H, W), for real and imaginary parts (N, 2, H, W).

        Both parts are 0 where there is no data, and so is the probability; 16 must divide H and W.
        """
        images = torch.from_numpy(np.asarray(model_input, np.float32)).split(BATCH_PATCHES)
        return torch.cat([line_probability(self._network, self._card, image) for image in images]).numpy()


set_model(ServedMember())
