"""Published weights against networks that were written independently, in the usual public styles."""

import pytest
import safetensors.torch
import torch
from published_style import FlatBlock, FlatGate, ShuffledPyramid, SkipFirstGate, trained_a_little
from torch import nn

from glsweep.errors import ConfigError
from glsweep.nets import build_network, count_parameters
from glsweep.nets.published import read_published

ARCHITECTURES = {"unet": False, "attention_unet": True}
STYLES = {
    "usual": {},
    "in lists": {"lists": True},
    "flat": {"block": FlatBlock, "gate": FlatGate, "lists": True},
    "shuffled": {"pyramid": ShuffledPyramid, "gate": SkipFirstGate},
}
WRAPPED = {
    "bare": lambda state: state,
    "parallel": lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
    "checkpoint": lambda state: {"epoch": 3, "model_state_dict": state, "optimizer": {"lr": 1e-4}},
    "twice": lambda state: {
        "model": {"state_dict": {f"net.module.{n}": t for n, t in state.items()}},
        "best": 0.3,
    },
    "in halves": lambda state: {name: tensor.double() for name, tensor in state.items()},
}


def written(tmp_path, content):
    path = tmp_path / "best.pth"
    torch.save(content, path)
    return path


def same_output(theirs, weights):
    ours = build_network(weights.architecture, in_channels=2, seed=5).eval()
    ours.load_state_dict(weights.state)
    image = torch.randn(2, 2, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(ours(image)[-1], theirs(image), rtol=0, atol=1e-5)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_network_of_another_program_gives_the_same_output_under_our_names(tmp_path, architecture, style):
    theirs = trained_a_little(gated=ARCHITECTURES[architecture], **STYLES[style])
    assert count_parameters(theirs) == {"unet": 68_901, "attention_unet": 69_528}[architecture]
    weights = read_published(written(tmp_path, theirs.state_dict()))
    assert weights.architecture == architecture
    same_output(theirs, weights)
    assert weights.state["encoder.0.1.num_batches_tracked"] == 7


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_what_programs_put_around_a_network_is_taken_off(tmp_path, wrapped):
    theirs = trained_a_little(gated=True)
    weights = read_published(written(tmp_path, WRAPPED[wrapped](theirs.state_dict())), "attention_unet")
    same_output(theirs, weights)
    assert weights.sha256 == read_published(written(tmp_path, theirs.state_dict())).sha256


def test_a_file_of_safetensors_with_our_names_is_read_too(tmp_path):
    theirs = trained_a_little(gated=False)
    path = tmp_path / "best.safetensors"
    ours = read_published(written(tmp_path, theirs.state_dict())).state
    safetensors.torch.save_file(dict(ours), path)
    same_output(theirs, read_published(path))


@pytest.mark.parametrize("name", ["best.SafeTensors", "best.pth"])
def test_a_file_of_safetensors_is_known_whatever_it_is_called(tmp_path, name):
    state = build_network("unet", in_channels=2, seed=3).state_dict()
    ours = {key: tensor.contiguous() for key, tensor in state.items()}
    safetensors.torch.save_file(ours, tmp_path / name)
    torch.testing.assert_close(dict(read_published(tmp_path / name, "unet").state), ours)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.to_sparse(), "is float32 (sparse_coo)"),
        (lambda t: t.to(torch.int32), "is int32 (strided)"),
        (lambda t: t.to(torch.complex64), "is complex64 (strided)"),
        (lambda t: t.to("meta"), "is float32 (without values)"),
    ],
)
def test_tensors_that_are_no_dense_real_numbers_are_refused(tmp_path, change, told):
    state = build_network("unet", in_channels=2, seed=3).state_dict()
    path = written(tmp_path, {**state, "encoder.0.0.weight": change(state["encoder.0.0.weight"])})
    with pytest.raises(ConfigError, match=r"^[^\n]+$") as caught:
        read_published(path, "unet")
    assert f"best.pth: its tensor encoder.0.0.weight {told}" in str(caught.value)


def test_weights_without_a_count_of_batches_are_read(tmp_path):
    theirs = trained_a_little(gated=False)
    old = {n: t for n, t in theirs.state_dict().items() if not n.endswith("num_batches_tracked")}
    same_output(theirs, read_published(written(tmp_path, old)))


def test_another_number_has_another_hash(tmp_path):
    one, other = (trained_a_little(seed=seed, gated=False).state_dict() for seed in (0, 1))
    hashes = {read_published(written(tmp_path, state)).sha256 for state in (one, other)}
    assert len(hashes) == 2


def changed(change):
    state = dict(trained_a_little(gated=True).state_dict())
    return change(state) or state


def renamed(state, old, new):
    return {name.replace(old, new): tensor for name, tensor in state.items()}


def moved(state, part, before):
    """The layers named `part` where `before` begins."""
    taken = {name: tensor for name, tensor in state.items() if part in name}
    rest = [(name, tensor) for name, tensor in state.items() if part not in name]
    at = next(place for place, (name, _) in enumerate(rest) if before in name)
    return dict([*rest[:at], *taken.items(), *rest[at:]])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s.pop("final.bias") and None, "has 69,527 trainable parameters"),
        (
            lambda s: s.update({"extra.weight": torch.zeros(3, 3, 1, 1), "extra.bias": torch.zeros(3)}),
            "69,540",
        ),
        (
            lambda s: s.update({"enc1.conv.0.weight": torch.zeros(8, 1, 3, 3)}),
            "layer enc1.conv.1 normalises",
        ),
        (
            lambda s: s.update({"enc1.conv.0.bias": torch.full((4,), torch.nan)}),
            "not finite (enc1.conv.0.bias)",
        ),
        (lambda s: s.update({"enc1.scale": torch.zeros(1)}), "its layer enc1 holds scale"),
        (lambda s: s.pop("enc1.conv.1.running_var") is None, "its layer enc1.conv.1 holds"),
        (
            lambda s: moved(s, "enc1.conv.3", "enc3.conv.0"),
            "layer enc1.conv.4 normalises",
        ),
        (lambda s: moved(renamed(s, "image_pool", "b5"), "b5", "atrous"), "follows the pooling"),
        (lambda s: renamed(renamed(s, "image_pool", "pool_a"), "conv1x1", "pool_b"), "follows the pooling"),
        (lambda s: moved(s, "atrous.2", "atrous.0"), "whose numbers do not ascend"),
        (lambda s: moved(s, "att4.psi", "att3.W_x"), "begins no attention gate of three"),
    ],
)
def test_what_does_not_fit_exactly_or_is_not_certain_is_refused_in_one_line(tmp_path, change, told):
    path = written(tmp_path, changed(change))
    with pytest.raises(ConfigError, match=r"^[^\n]+$") as caught:
        read_published(path, "attention_unet")
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert told in message
    assert message.endswith("it does not hold the published attention_unet, name the file that does")


class Booby:
    """Would do harm if it were unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("was unpickled",))


def scripted(path):
    torch.jit.save(torch.jit.trace(nn.Conv2d(1, 1, 1), torch.zeros(1, 1, 2, 2)), path)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    ("write", "told"),
    [
        (
            lambda path: torch.save(trained_a_little(gated=False), path),
            "save the network's state_dict() alone",
        ),
        (lambda path: torch.save({"state_dict": Booby()}, path), "save the network's state_dict() alone"),
        (lambda path: torch.save([torch.zeros(2)], path), "holds no state dict"),
        (lambda path: torch.save({"epoch": 3}, path), "holds no state dict"),
        (lambda path: torch.save({"a": torch.zeros(3)}, path), "its layer  holds a"),
        (lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
        (lambda path: path.write_text("hello"), "is no file of torch.save"),
        (lambda path: path.write_bytes(b""), "is empty (0 bytes)"),
        (lambda path: path.write_text("\n<!DOCTYPE HTML><p>404"), "is a web page"),
        (lambda path: path.mkdir(), "is a folder; name the file of weights in it"),
        (lambda path: None, "there is no such file"),
        (scripted, "cannot be read as weights"),
    ],
)
def test_what_is_no_file_of_weights_is_refused_in_one_line_and_never_unpickled(tmp_path, write, told):
    path = tmp_path / "best.pth"
    write(path)
    with pytest.raises(ConfigError, match=r"^[^\n]+$") as caught:
        read_published(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value) or "no published network" in str(caught.value)


def test_a_file_that_was_cut_short_is_refused(tmp_path):
    path = written(tmp_path, trained_a_little(gated=False).state_dict())
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(ConfigError, match="cannot be read as weights"):
        read_published(path)


def test_weights_of_the_other_network_are_refused(tmp_path):
    path = written(tmp_path, trained_a_little(gated=True).state_dict())
    with pytest.raises(ConfigError, match="has 69,528 trainable parameters, the unet has 68,901"):
        read_published(path, "unet")
    with pytest.raises(ConfigError, match="weights can be read for unet, attention_unet, not for unetpp"):
        read_published(path, "unetpp")
