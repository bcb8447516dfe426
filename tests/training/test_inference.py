import numpy as np
import pytest
import torch
from made_patches import bands
from torch import nn

from glsweep.config.space import Calibration
from glsweep.losses import NO_DATA
from glsweep.nets import build_network, derive_channels
from glsweep.training.memory import BATCH_PATCHES, calibrate_on, place, predict_patches


class Says(nn.Module):
    """Finds the bright band with .45 and takes .35 for the rest, but is sure of a line beyond the data."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, image):
        bright = image.mean(dim=1, keepdim=True) > 1.4
        said = torch.where(bright, 0.45, 0.35)
        return [torch.logit(torch.where((image == 0).all(dim=1, keepdim=True), 0.99, said))]


@pytest.mark.parametrize("architecture", ["unet", "attention_unet", "unetpp"])
@pytest.mark.parametrize("channels", [("real", "imag"), ("magnitude", "cos", "sin")])
def test_predictions_are_those_of_a_forward_pass_of_the_last_head(architecture, channels):
    patches = bands(BATCH_PATCHES + 3)
    network = build_network(architecture, in_channels=len(channels), base_width=2, seed=0).train()
    probability = predict_patches(network, patches, channels)
    assert (probability.shape, probability.dtype) == (patches.mask.shape, np.float32)
    network.eval()
    with torch.inference_mode():
        x = derive_channels(torch.from_numpy(patches.image), channels, patches.amplitude_scale)
        direct = torch.stack([network(one[None])[-1][0, 0].sigmoid() for one in x])
    seen = (patches.image != 0).any(axis=1)
    np.testing.assert_allclose(probability[seen], direct.numpy()[seen], atol=1e-6)
    assert not seen.all() and not probability[~seen].any(), "nothing is drawn where there is no data"


def test_predicting_leaves_the_weights_and_the_statistics_alone():
    network = build_network("unet", in_channels=2, base_width=2, seed=0).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    predict_patches(network, bands(), ("real", "imag"))
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_no_patches_give_no_predictions():
    network = build_network("unet", in_channels=2, base_width=2, seed=0)
    none = bands(2)
    none = type(none)(none.image[:0], none.mask[:0], none.posting_m, none.amplitude_scale)
    assert predict_patches(network, none, ("real", "imag")).shape == (0, 32, 32)


def test_placed_patches_share_memory_and_batches_are_copies():
    patches = bands()
    placed = place(patches, torch.device("cpu"))
    assert placed.image.data_ptr() == patches.image.ctypes.data
    image, mask = placed.batch(torch.tensor([3, 1]))
    np.testing.assert_array_equal(image.numpy(), patches.image[[3, 1]])
    seen = (patches.image[[3, 1]] != 0).any(axis=1)
    assert not seen.all()
    np.testing.assert_array_equal(mask.numpy(), np.where(seen, patches.mask[[3, 1]], NO_DATA))
    image.zero_()
    assert patches.image[3].any()


def test_what_a_network_says_of_pixels_without_data_chooses_no_threshold():
    patches = bands()
    network = Says()
    criterion = Calibration(lowest=0.1, highest=0.9, count=9, criterion="relaxed_f1")
    chosen = calibrate_on(patches, network, ("real", "imag"), criterion, tolerance_m=100.0)
    assert chosen.tau == pytest.approx(0.4)
    assert max(chosen.values) == 1
