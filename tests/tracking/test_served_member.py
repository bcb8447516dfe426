"""What MLflow serves is what the member itself predicts."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from made_input import card as model_card

from glsweep.nets import build_network, derive_channels
from glsweep.nets.member import save_member


# mlflow warns of its own hints when it is imported.
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType")
@pytest.mark.parametrize("architecture", ["unet", "unetpp"])
def test_a_served_member_gives_the_probability_of_its_last_head(tmp_path, architecture):
    from glsweep.tracking.served_member import BATCH_PATCHES, MEMBER, ServedMember

    card = model_card(architecture=architecture, base_width=2, channels=("real", "imag"), amplitude_scale=0.5)
    network = build_network(architecture, in_channels=2, base_width=2, seed=4).eval()
    save_member(tmp_path, network, card)
    served = ServedMember()
    context = SimpleNamespace(artifacts={MEMBER: str(tmp_path)})
    served.load_context(context)
    image = np.random.default_rng(0).normal(size=(BATCH_PATCHES + 2, 2, 32, 32)).astype(np.float32)
    found = served.predict(context, image)
    with torch.inference_mode():
        heads = network(derive_channels(torch.from_numpy(image), ("real", "imag"), 0.5))
    np.testing.assert_allclose(found, heads[-1][:, 0].sigmoid().numpy(), atol=1e-6)
    assert architecture == "unet" or np.abs(found - heads[0][:, 0].sigmoid().numpy()).max() > 0.01
