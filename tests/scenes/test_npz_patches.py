"""Patches as the study cuts them from a raster of real and imaginary part: phase, magnitude, mask."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from glsweep.config.data_card import DataCard, Layout
from glsweep.errors import DataError
from glsweep.scenes.catalogue import open_catalogue
from glsweep.scenes.npz_bands import BandRoles, decide_roles, requested_roles, to_complex

SHAPE = (70, 90)
SIZE = 32
IN_UNIT = {"radians": 1.0, "over pi": np.pi}

PATCH = Path("a_x0_y0_s16.npz")


def raster(seed=0, *, scale=1.0, noise=0.3):
    """Fringes across a scene, coherent on one side and noise on the other, in a collar without data."""
    draw = np.random.default_rng(seed)
    row, col = np.mgrid[: SHAPE[0], : SHAPE[1]]
    fringes = np.exp(1j * (0.002 * (row + col) ** 2 + draw.uniform(0, 6)))
    speckle = draw.normal(size=SHAPE) + 1j * draw.normal(size=SHAPE)
    values = scale * (np.where(col < 50, 0.8, 0.1) * fringes + noise * speckle)
    values[:, 84:] = 0
    return values.astype(np.complex64)


def places(step=20):
    return [
        (row, col) for row in range(0, SHAPE[0] - SIZE + 1, step) for col in range(0, SHAPE[1] - SIZE, step)
    ]


def line():
    mask = np.zeros(SHAPE, np.uint8)
    mask[40, 5:60] = 1
    return mask


def cut(
    root,
    values,
    *,
    unit="over pi",
    dtype=np.float32,
    line_value=1,
    turned=False,
    scene="S1_x2_y3",
    at=None,
    change_mask=np.asarray,
):
    """Cut as the study's programs do: angle, abs, mask, at names that say where."""
    bands = np.stack([np.angle(values) / IN_UNIT[unit], np.abs(values)])
    for row, col in at or places():
        window = np.s_[row : row + SIZE, col : col + SIZE]
        mask = line()[window][None] * np.uint8(line_value)
        x, y = (row, col) if turned else (col, row)
        name = f"{'' if mask.any() else 'NOISY'}{scene}_x{x}_y{y}_s{SIZE}.npz"
        np.savez(root / name, image=bands[:, *window].astype(dtype), mask=change_mask(mask))


def read_back(root, bands="npz", nodata=None):
    layout = Layout(rasters="*.npz", bands=bands, lines=None, nodata=nodata)
    card = DataCard(name="study", root=root, posting_m=100, layout=layout)
    return open_catalogue(root, card).entries


def covered(values, at=None):
    seen = np.zeros(values.shape, bool)
    for row, col in at or places():
        seen[row : row + SIZE, col : col + SIZE] = True
    rows, cols = np.nonzero(seen)
    return np.where(seen, values, 0)[: rows.max() + 1, : cols.max() + 1]


@pytest.mark.parametrize("unit", IN_UNIT)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("line_value", [1, 255])
def test_the_study_s_patches_give_the_raster_s_values_back(tmp_path, unit, dtype, line_value):
    values = raster()
    cut(tmp_path, values, unit=unit, dtype=dtype, line_value=line_value)
    (entry,) = read_back(tmp_path)
    assert entry.name == "S1_x2_y3"
    np.testing.assert_allclose(
        entry.read_pixels(), covered(values), atol=4e-3 if dtype == np.float16 else 1e-5
    )
    assert (entry.valid() == (covered(values) != 0)).all()
    assert (entry.line_mask("all_touched") == covered(line())).all()


@pytest.mark.parametrize("bands", ["auto", "phase, magnitude", "phase_pi, magnitude", "phase=1, magnitude=2"])
def test_a_card_can_say_what_patches_hold(tmp_path, bands):
    cut(tmp_path, raster())
    (entry,) = read_back(tmp_path, bands)
    np.testing.assert_allclose(entry.read_pixels(), covered(raster()), atol=1e-5)


def test_a_row_after_x_in_the_names_is_seen_where_overlaps_agree_by_it_alone(tmp_path):
    cut(tmp_path, raster(), turned=True)
    (entry,) = read_back(tmp_path)
    np.testing.assert_allclose(entry.read_pixels(), covered(raster()), atol=1e-5)


def test_patches_that_do_not_overlap_lie_as_their_names_say(tmp_path):
    cut(tmp_path, raster(), at=[(0, 0), (0, 40), (35, 0)])
    (entry,) = read_back(tmp_path)
    assert entry.shape == (67, 72)


def test_one_patch_that_looks_like_something_else_does_not_decide(tmp_path):
    values = raster()
    values[:SIZE, :SIZE] = np.abs(values[:SIZE, :SIZE]) * np.exp(0.4j)  # a phase of one sign, far from 1
    cut(tmp_path, values)
    (entry,) = read_back(tmp_path)
    np.testing.assert_allclose(entry.read_pixels(), covered(values), atol=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])
def test_real_and_imaginary_parts_are_told_by_their_values(tmp_path, scale):
    values = raster(scale=scale)
    for row, col in places():
        window = np.s_[row : row + SIZE, col : col + SIZE]
        image = np.stack([values[window].real, values[window].imag])
        np.savez(tmp_path / f"s_x{col}_y{row}_s{SIZE}.npz", image=image, mask=line()[window][None])
    (entry,) = read_back(tmp_path)
    np.testing.assert_allclose(entry.read_pixels(), covered(values), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda mask: np.where(np.arange(SIZE) > 20, 2 - mask, mask),
            "holds the values 0, 1, 2; a mask has 0",
        ),
        (lambda mask: mask + 1, "holds the values 0, 1, 2"),  # 0 in the gaps between the patches
        (lambda mask: -mask.astype(np.int16), "holds the values -1, 0"),
        (lambda mask: np.maximum(mask * 0.9, 0.1).astype(np.float16), "a mask has 0 and one other"),
        (lambda mask: 1 - mask, "of its pixels, which is no line"),
    ],
)
def test_masks_of_patches_that_are_no_lines_are_refused(tmp_path, change, told):
    cut(tmp_path, raster(), at=[(0, 0), (35, 0), (35, 40)], change_mask=change)
    with pytest.raises(DataError, match=rf"^[^\n]*s32\.npz: [^\n]*{told}"):
        read_back(tmp_path)


def test_where_masks_of_patches_are_not_a_number_is_no_line(tmp_path):
    cut(tmp_path, raster(), change_mask=lambda mask: np.where(mask > 0, 1, np.nan).astype(np.float32))
    (entry,) = read_back(tmp_path)
    assert (entry.line_mask("all_touched") == covered(line())).all()


def bands_of(values, unit="over pi"):
    return np.stack([np.angle(values) / IN_UNIT[unit], np.abs(values)]).astype(np.float32)


def parts_of(values):
    return np.stack([values.real, values.imag]).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(1e-4, 1e4),
    noise=st.floats(0, 1),
    made=st.sampled_from(["radians", "over pi", "parts", "swapped", "real, magnitude", "coherence, phase"]),
)
def test_what_is_read_is_right_or_refused(seed, scale, noise, made, tmp_path_factory):
    values = raster(seed, scale=scale, noise=noise)
    image = (
        parts_of(values)
        if made == "parts"
        else bands_of(values, "radians" if made == "radians" else "over pi")
    )
    image = image[::-1] if made == "swapped" else image
    if made == "real, magnitude":
        image = np.stack([values.real, np.abs(values)])
    if made == "coherence, phase":
        image = np.stack([np.minimum(np.abs(values), 1), np.angle(values)])
    try:
        roles = decide_roles([image], "npz", tmp_path_factory.getbasetemp())
    except DataError as error:
        assert "`bands: " in str(error) or "`nodata: " in str(error)
        return
    assert made in ("radians", "over pi", "parts")
    np.testing.assert_allclose(to_complex(image, roles, PATCH), values, rtol=1e-3, atol=1e-4 * scale)


@pytest.mark.parametrize(
    ("bands", "made", "told"),
    [
        ("npz", lambda v: 0.3 * bands_of(v), "say `bands: phase_pi, magnitude`"),
        ("phase, magnitude", lambda v: 0.3 * bands_of(v), "`bands: unwrapped_phase, magnitude`"),
        ("npz", lambda v: bands_of(v)[::-1], "say `bands: magnitude, phase_pi`"),
        (
            "npz",
            lambda v: np.abs(bands_of(v)),
            "does not tell what they are; say `bands: phase_cycles, magnitude`",
        ),
        ("npz", lambda v: np.stack([v.real, np.abs(v)]), "does not tell what they are"),
        ("real, imaginary", bands_of, "as a phase and a magnitude are"),
        ("phase, magnitude", parts_of, "below 0"),
        ("phase_pi, magnitude", lambda v: bands_of(v, "radians"), "beyond 1"),
        ("phase, magnitude", lambda v: 3 * bands_of(v, "radians"), "beyond 3.142"),
        ("phase_degrees, magnitude", lambda v: bands_of(v, "radians"), "as one in radians"),
        ("complex", bands_of, "patches have the bands 1 and 2"),
        ("phase=3, magnitude=2", bands_of, "patches have the bands 1 and 2"),
        ("phase=ifg, magnitude=2", bands_of, "patches have the bands 1 and 2"),
        ("npz", lambda v: 0 * bands_of(v), "no pixel of any patch holds data"),
    ],
)
def test_bands_that_are_not_what_they_are_called_are_refused_with_the_remedy(tmp_path, bands, made, told):
    with pytest.raises(DataError, match=r"^[^\n]+$") as caught:
        decide_roles([made(raster()).astype(np.float32)], bands, tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: ")
    assert told in str(caught.value)


def test_a_remedy_that_is_told_works(tmp_path):
    gentle = 0.3 * bands_of(raster())
    assert decide_roles([gentle], "phase_pi, magnitude", tmp_path) == ("phase_pi", "magnitude")
    assert decide_roles([gentle], "unwrapped_phase, magnitude", tmp_path) == ("unwrapped_phase", "magnitude")
    assert decide_roles([bands_of(raster())[::-1]], "magnitude, phase", tmp_path) == ("magnitude", "phase_pi")


def standardised(values):
    return (np.abs(values) - np.abs(values).mean()) / np.abs(values).std()


def smooth(seed=0):
    """Fringes in one direction, so that the phase jumps between rows alone, of gently varying magnitude."""
    row, col = np.mgrid[:96, :80]
    draw = np.random.default_rng(seed)
    phase_rad = 0.41 * row + 2 * np.sin(col / 30) + draw.uniform(0, 6)
    magnitude = 0.55 + 0.25 * np.sin(row / 19) * np.cos(col / 13) + draw.normal(0, 0.05, row.shape)
    return np.clip(magnitude, 0.05, 0.95) * np.exp(1j * phase_rad)


FULL = raster()[:, :84]
TURN = 2 * np.pi
SUGGESTED = {
    "over pi, standardised": (lambda v: (np.angle(v) / np.pi, standardised(v)), "phase_pi=1"),
    "cycles, standardised": (lambda v: (np.angle(v) / TURN, 0.3 * standardised(v)), "phase_cycles=1"),
    "standardised, over pi": (lambda v: (standardised(v), np.angle(v) / np.pi), "phase_pi=2"),
    "degrees, decibels": (lambda v: (np.degrees(np.angle(v)), 90 * standardised(v)), "phase_degrees=1"),
    "two phases": (lambda v: (np.angle(v) / np.pi, np.angle(v[::-1]) / np.pi), "phase_pi=1"),
    "radians from 0": (lambda v: (np.angle(v) % TURN, np.abs(v)), "unwrapped_phase, magnitude"),
    "strength, radians from 0": (lambda v: (np.abs(v), np.angle(v) % TURN), "magnitude, unwrapped_phase"),
    "over pi from 0": (lambda v: (np.angle(v) / np.pi % 2, 1.7 * np.abs(v)), "phase_pi, magnitude"),
    "cycles": (lambda v: (np.angle(v) / TURN, np.abs(v)), "phase_cycles, magnitude"),
    "cycles from 0": (lambda v: (np.angle(v) / TURN % 1, 0.7 * np.abs(v)), "phase_cycles, magnitude"),
    "degrees": (lambda v: (np.degrees(np.angle(v)), np.abs(v)), "phase_degrees, magnitude"),
}


@pytest.mark.parametrize("values", [FULL, smooth()], ids=["noisy", "smooth"])
@pytest.mark.parametrize(("made", "likely"), SUGGESTED.values(), ids=SUGGESTED)
def test_what_values_look_like_is_told_and_works(tmp_path, values, made, likely):
    image = np.stack(made(values)).astype(np.float32)
    with pytest.raises(DataError, match=f"say `bands: {likely}` in the data card") as caught:
        decide_roles([image], "npz", tmp_path)
    assert "real, imaginary" not in str(caught.value)
    joined = to_complex(image, decide_roles([image], likely, tmp_path), PATCH)
    assert np.abs(np.angle(joined * np.conj(values))).max() < 1e-3


@pytest.mark.parametrize(
    ("asked", "made", "likely"),
    [
        ("real, imaginary", "radians from 0", "unwrapped_phase, magnitude"),
        ("imaginary, real", "strength, radians from 0", "magnitude, unwrapped_phase"),
        ("phase_pi, magnitude", "cycles", "phase_cycles, magnitude"),
        ("phase_pi, magnitude", "cycles from 0", "phase_cycles, magnitude"),
        ("phase, magnitude", "over pi from 0", "phase_pi, magnitude"),
        ("phase, magnitude", "cycles", "phase_cycles, magnitude"),
        ("phase, coherence", "radians from 0", "unwrapped_phase, magnitude"),
        ("unwrapped_phase, magnitude", "cycles", "phase_cycles, magnitude"),
        ("unwrapped_phase=1", "over pi, standardised", "phase_pi=1"),
        ("phase_cycles=1", "two phases", "phase_pi=1"),
        ("phase_degrees=1", "cycles, standardised", "phase_cycles=1"),
    ],
)
def test_an_asked_reading_that_values_contradict_is_refused_with_the_likely_one(
    tmp_path, asked, made, likely
):
    image = np.stack(SUGGESTED[made][0](FULL)).astype(np.float32)
    with pytest.raises(DataError, match=f"`bands: {likely}`"):
        decide_roles([image], asked, tmp_path)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize(
    "values", [smooth(), smooth() / np.abs(smooth()), FULL / np.abs(FULL), FULL / np.abs(FULL).max()]
)
def test_parts_that_the_magnitude_bounds_are_parts(tmp_path, values, dtype):
    assert decide_roles([parts_of(values).astype(dtype)], "npz", tmp_path) == ("real", "imaginary")


def test_parts_of_one_magnitude_are_no_phases_where_they_are_refused(tmp_path):
    phase_rad = np.random.default_rng(0).uniform(-2, 2, (90, 90))  # the circle is not filled
    with pytest.raises(DataError, match="say `bands: real, imaginary` in"):
        decide_roles([parts_of(np.exp(1.1j * phase_rad))], "npz", tmp_path)


HOLE = np.s_[:, 10:30, 10:30]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("made", [parts_of, bands_of])
@pytest.mark.parametrize(
    ("fill", "told"),
    [
        (-9999, "holds"),
        (1e4, "holds"),
        ((0.0, 1.0), "without exception"),
        ((0.00123, 0.25), "without exception"),
    ],
)
def test_a_fill_is_refused_until_the_card_tells_it(tmp_path, dtype, made, fill, told):
    image = made(FULL).astype(dtype)
    image[HOLE] = np.reshape(np.broadcast_to(fill, 2), (2, 1, 1))
    row, col = 0, 0
    size = 64
    mask = line()[None, :size, :size]
    np.savez(tmp_path / f"s_x{col}_y{row}_s{size}.npz", image=image[:, :size, :size], mask=mask)
    with pytest.raises(DataError, match=rf"{told}\b.*; say .*`nodata: ") as caught:
        read_back(tmp_path)
    nodata = float(str(caught.value).split("`nodata: ")[1].split("`")[0])
    (entry,) = read_back(tmp_path, nodata=nodata)
    expected = FULL[:size, :size].copy()
    expected[HOLE[1:]] = 0
    np.testing.assert_allclose(entry.read_pixels(), expected, atol=4e-3)
    assert (entry.valid() == (expected != 0)).all()


def test_areas_of_one_value_are_refused_where_few_patches_hold_them(tmp_path):
    images = [bands_of(raster(seed)) for seed in range(40)]
    images[7][:, 5:15, 60:70] = np.reshape([0, 1], (2, 1, 1))
    assert decide_roles(images[:7], "npz", tmp_path) == ("phase_pi", "magnitude")
    images[7] = images[7][:, :32, 55:75]
    with pytest.raises(DataError, match="areas without exception"):
        decide_roles(images, "npz", tmp_path)


def test_what_stands_for_no_data_elsewhere_is_measured_where_only_tags_count(tmp_path):
    image = bands_of(FULL)
    image[HOLE] = np.reshape([0.5, 0.25], (2, 1, 1))
    assert decide_roles([image], "npz", tmp_path, "as_tagged") == ("phase_pi", "magnitude")
    assert to_complex(image, BandRoles("phase_pi", "magnitude"), PATCH)[15, 15] == pytest.approx(0.25j)


def test_a_later_patch_of_another_kind_is_refused_when_it_is_read(tmp_path):
    cut(tmp_path, raster())
    (entry,) = read_back(tmp_path)
    cut(tmp_path, raster(), unit="radians", at=places()[3:4])
    with pytest.raises(
        DataError, match=r"beyond 1, though patches of this data set hold phase_pi=1, magnitude=2"
    ):
        entry.read()


def test_there_is_no_data_where_the_magnitude_is_0_or_a_value_is_not_finite():
    image = np.array([[0.5, 0, np.nan, 0.5, 0.25], [0, 0, 1, np.inf, 2]], np.float32)[:, None]
    joined = to_complex(image, BandRoles("phase_pi", "magnitude"), PATCH)
    np.testing.assert_allclose(joined, [[0, 0, 0, 0, 2 * np.exp(0.25j * np.pi)]], atol=1e-6)


@pytest.mark.parametrize(
    ("bands", "value", "expected"),
    [
        ("phase, coherence", (0.5, 0), 0),
        ("intensity, phase", (4, 0.5), 2 * np.exp(0.5j)),
        ("phase_cycles, magnitude", (0.25, 3), 3j),
        ("phase_degrees, magnitude", (-90, 2), -2j),
        ("unwrapped_phase=2", (7, 0.5 + 4 * np.pi), np.exp(0.5j)),
        ("imaginary, real", (1, 2), 2 + 1j),
        ("phase, mask", (0.5, 0), 0),
    ],
)
def test_every_reading_that_a_card_can_name_gives_one_signal(tmp_path, bands, value, expected):
    roles = requested_roles(bands, tmp_path)
    assert to_complex(np.array(value, np.float32)[:, None, None], roles, PATCH)[0, 0] == pytest.approx(
        expected, abs=1e-6
    )


def test_patches_need_no_lines_and_no_masks_beside_them(tmp_path):
    with pytest.raises(ValidationError, match="npz patches hold masks themselves"):
        Layout(rasters="*.npz", bands="phase, magnitude")
