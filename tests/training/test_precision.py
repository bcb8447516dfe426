"""The arithmetic of a trial: which is chosen, what is told of it, and what stays float32."""

import dataclasses

import pytest
import torch
from made_patches import bands, parameters, schedule

from glsweep.training.fit import fit
from glsweep.training.state import fresh_state, load_state, save_state
from glsweep.training.step import bits, computing_in, dtype_of

CPU = torch.device("cpu")


def train(of, epochs=2, state=None, until=None):
    state = state or fresh_state(of, seed=1, device=CPU)
    reports = []
    for report in fit(state, of, bands(), bands(seed=1), schedule(epochs), seed=1):
        reports.append(dataclasses.replace(report, epoch_s=0))
        if report.epoch == until:
            break
    return state, reports


@pytest.mark.parametrize(("precision", "told"), [("float32", 32), ("bfloat16", 16)])
def test_the_precision_that_was_chosen_is_the_one_computed_in_and_reported(precision, told):
    of = parameters(precision=precision)
    state, seen = fresh_state(of, seed=1, device=CPU), set()
    state.network.encoder[0][0].register_forward_hook(lambda *given: seen.add(given[-1].dtype))
    _, reports = train(of, state=state)
    assert {bits(dtype) for dtype in seen} == {told}
    assert [report.metrics()["precision_bits"] for report in reports] == [told] * 2


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_f": True, "avx512_bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_left_to_the_device_it_is_bfloat16_where_there_is_arithmetic_for_it(monkeypatch, capabilities, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert dtype_of("auto", CPU) == dtype
    assert dtype_of("float32", CPU) == torch.float32
    assert dtype_of("bfloat16", CPU) == torch.bfloat16


def test_without_onednn_nothing_is_left_to_bfloat16(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    with torch.backends.mkldnn.flags(enabled=False, allow_tf32=None, fp32_precision=None):
        assert dtype_of("auto", CPU) == torch.float32


def test_weights_statistics_and_moments_stay_float32():
    state, _ = train(parameters(precision="bfloat16"))
    moments = [t for moment in state.optimizer.state.values() for t in moment.values()]
    for tensor in (*state.network.state_dict().values(), *moments):
        assert tensor.dtype in (torch.float32, torch.int64)


@pytest.mark.parametrize("architecture", ["unet", "attention_unet", "unetpp"])
def test_a_run_in_bfloat16_resumes_bit_for_bit(tmp_path, architecture):
    of = parameters(architecture=architecture, base_width=2, precision="bfloat16")
    undisturbed, wanted = train(of, 4)
    cut_off, before = train(of, 4, until=2)
    save_state(cut_off, tmp_path / "state.safetensors")
    resumed = fresh_state(of, seed=8, device=CPU)
    load_state(resumed, tmp_path / "state.safetensors")
    _, after = train(of, 4, state=resumed)
    assert before + after == wanted
    for name, tensor in undisturbed.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name


def test_moments_that_were_loaded_lie_in_memory_as_the_weights_do(tmp_path):
    state, _ = train(parameters())
    save_state(state, tmp_path / "state.safetensors")
    again = fresh_state(parameters(), seed=2, device=CPU)
    load_state(again, tmp_path / "state.safetensors")
    for weight, moments in again.optimizer.state.items():
        assert moments["exp_avg"].stride() == moments["exp_avg_sq"].stride() == weight.stride()


def test_a_band_is_learnt_in_bfloat16_too():
    figures = [
        max(r.relaxed_f1 for r in train(parameters(precision=p), 30)[1]) for p in ("float32", "bfloat16")
    ]
    assert figures[1] == pytest.approx(figures[0], abs=0.15)


def test_only_bfloat16_changes_what_layers_compute_in():
    layer, image = torch.nn.Conv2d(1, 1, 1), torch.ones(1, 1, 2, 2)
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        with computing_in(dtype, CPU):
            result = layer.double()(image.double()) if dtype == torch.float64 else layer.float()(image)
        assert result.dtype == dtype


def test_a_precision_that_is_left_to_the_device_is_not_written_so_that_trials_keep_their_names_and_seeds():
    left, chosen = parameters(precision="auto"), parameters(precision="float32")
    assert "precision" not in left.model_dump()
    assert "precision" not in left.model_dump_json()
    assert chosen.model_dump(mode="json")["precision"] == "float32"
    for of in (left, chosen):
        assert type(of).model_validate(of.model_dump()) == of
