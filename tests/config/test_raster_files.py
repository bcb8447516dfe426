"""Which files are scenes: in folders of every processor, whatever their suffix and its case."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glsweep.errors import DataError
from glsweep.scenes.cards import load_card
from glsweep.scenes.products import RASTER_SUFFIXES, scene_stem
from glsweep.scenes.raster_files import (
    check_scenes_found,
    choose_scenes,
    distinct_scenes,
    rasters_of_card,
    rasters_of_folder,
)

HYP3 = "S1BB_20201120T031407_20201202T031406_VVR012_INT80_G_ueF_9F3C"
BURST = "S1_136231_IW2_20200604_20200616_VV_INT80_12E3"
LICSAR = "20190110_20190122.geo"


def made(folder, *names, text=""):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def names_of(choice):
    """What is taken, and the sets of files that are passed over together."""
    taken = [path.name for path in choice.taken]
    return taken, [{path.name for path in line.paths} for line in choice.passed_over]


@given(suffix=st.sampled_from(RASTER_SUFFIXES), data=st.data())
def test_a_raster_is_found_by_any_suffix_in_any_case(tmp_path_factory, suffix, data):
    spelt = "".join(data.draw(st.sampled_from((letter.lower(), letter.upper()))) for letter in suffix)
    folder = made(tmp_path_factory.mktemp("scenes"), f"20180620_20180626{spelt}", "notes.txt", "lines.gpkg")
    for choice in (rasters_of_folder(folder), rasters_of_card(folder, "*")):
        assert names_of(choice) == ([f"20180620_20180626{spelt}"], [])
    assert load_card(folder).layout.rasters == "*"


FOLDERS = {
    "HyP3 of GAMMA": (
        [f"{HYP3}_{part}.tif" for part in ("wrapped_phase", "corr", "lv_phi", "los_disp", "unw_phase")],
        [f"{HYP3}_wrapped_phase.tif"],
        1,
    ),
    "HyP3 of bursts": (
        [f"{BURST}_{part}.tif" for part in ("wrapped_phase", "conn_comp", "water_mask", "lat_rdr")],
        [f"{BURST}_wrapped_phase.tif"],
        1,
    ),
    "two products": (
        [f"{pair}.{part}.tif" for pair in (LICSAR, "20190122_20190203.geo") for part in ("diff_pha", "unw")],
        [f"{LICSAR}.diff_pha.tif", "20190122_20190203.geo.diff_pha.tif"],
        2,
    ),
    "ISCE's merged": (
        [
            *(
                "filt_topophase.flat.geo",
                "filt_topophase.unw.geo",
                "filt_topophase.flat",
                "topophase.flat.geo",
            ),
            *("phsig.cor.geo", "filt_topophase.unw.geo.vrt", "filt_topophase.flat.geo.vrt"),
            *("filt_topophase.flat.geo.xml", "dem.crop"),
        ],
        ["filt_topophase.flat.geo"],
        1,
    ),
    "ISCE's stack": (["fine.int", "filt_fine.int", "filt_fine.cor", "filt_fine.unw"], ["filt_fine.int"], 1),
    "pairs of ROI_PAC": (
        ["geo_180620-180626.int", "geo_180620-180626.unw", "geo_180626-180702.int"],
        ["geo_180620-180626.int", "geo_180626-180702.int"],
        1,
    ),
    "GMTSAR": (
        [
            "phasefilt.grd",
            "phasefilt_ll.grd",
            "corr_ll.grd",
            "unwrap_ll.grd",
            "display_amp_ll.grd",
            "xphase.grd",
        ],
        ["phasefilt_ll.grd"],
        1,
    ),
    "GMTSAR, on a projected map": (
        ["phasefilt_ll.grd", "phasefilt_ps.grd", "phasefilt_mask_ll.grd", "mask.grd"],
        ["phasefilt_ps.grd"],
        1,
    ),
    "SNAP": (["a.dim", "a.data/i_ifg.img", "a.data/q_ifg.img"], ["a.dim"], 0),
    "what predict drew": (["a.tif", "a-probability.tif"], ["a.tif"], 1),
    "sidecars": (["a.tif", "a.tif.aux.xml", "a.tif.ovr", "a.tif.msk", "._a.tif", "a.tfw"], ["a.tif"], 0),
    "one file of a product": ([f"{HYP3}_unw_phase.tif"], [f"{HYP3}_unw_phase.tif"], 0),
    "names that only look alike": (["getz_corr.tif", "getz_dem.tif"], ["getz_corr.tif", "getz_dem.tif"], 0),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_of_a_products_folder_the_wrapped_phase_is_taken_and_the_rest_is_named(tmp_path, name):
    files, wanted, lines = FOLDERS[name]
    made(tmp_path, *files)
    taken, passed_over = names_of(rasters_of_folder(tmp_path))
    assert sorted(taken) == sorted(wanted)
    assert len(passed_over) == lines
    rasters = {
        f for f in files if f.lower().endswith(RASTER_SUFFIXES) and "/" not in f and not f.startswith("._")
    }
    described = {f for f in rasters if f.endswith(".vrt") and f.removesuffix(".vrt") in rasters}
    assert {*taken, *set().union(*passed_over)} == rasters - described


def test_what_is_passed_over_of_a_product_is_told_in_one_short_line(tmp_path):
    made(tmp_path, *(f"{HYP3}_{part}.tif" for part in ("wrapped_phase", "corr", "lv_phi")))
    made(tmp_path, "merged/phsig.cor.geo", "merged/filt_topophase.flat.geo")
    (hyp3,), (isce,) = (rasters_of_folder(folder).passed_over for folder in (tmp_path, tmp_path / "merged"))
    assert str(hyp3) == f"{HYP3} (HyP3): wrapped_phase is read, passed over are corr, lv_phi"
    assert str(isce) == "merged (ISCE): filt_topophase.flat.geo is read, passed over are phsig.cor.geo"


def test_a_product_without_a_wrapped_phase_says_how_to_get_one(tmp_path):
    made(tmp_path, f"{HYP3}_unw_phase.tif", f"{HYP3}_corr.tif")
    choice = rasters_of_folder(tmp_path)
    assert not choice.taken
    with pytest.raises(DataError, match="include_wrapped_phase, or name its unw_phase file") as caught:
        check_scenes_found(tmp_path, choice)
    assert str(caught.value).startswith(f"{tmp_path}: holds no interferogram: ")


def test_a_virtual_raster_beside_the_one_that_it_describes_counts_once(tmp_path):
    made(tmp_path, "a.tif", "b.tif")
    made(tmp_path, "a.vrt", text='<SourceFilename relativeToVRT="1">a.tif</SourceFilename>')
    made(tmp_path, "c.vrt", text='<SourceFilename relativeToVRT="1">tiles/c.tif</SourceFilename>')
    choice = rasters_of_folder(tmp_path)
    assert names_of(choice) == (["a.tif", "b.tif", "c.vrt"], [{"a.vrt"}])
    assert str(choice.passed_over[0]) == "a.vrt: describes a.tif, which is read"


@pytest.mark.parametrize(
    ("pattern", "taken", "unused"),
    [
        ("DInSAR/*.tif", ["a.tif", "b.TIF", "coco1.tif"], {"c.tiff", "other.tif"}),
        ("dinsar/*.TIF", ["a.tif", "b.TIF", "coco1.tif"], {"c.tiff", "other.tif"}),
        ("DInSAR/*.tif*", ["a.tif", "b.TIF", "c.tiff", "coco1.tif"], {"other.tif"}),
        ("DInSAR/*", ["a.tif", "b.TIF", "c.tiff", "coco1.tif"], {"other.tif"}),
        ("**/[a-b].tif", ["a.tif", "b.TIF"], {"c.tiff", "coco1.tif"}),
        ("*/COCO*.tif", ["coco1.tif"], {"a.tif", "b.TIF", "c.tiff"}),
        ("*.tif", ["other.tif"], set()),
    ],
)
def test_a_cards_pattern_matches_in_any_case_and_what_it_leaves_out_is_named(
    tmp_path, pattern, taken, unused
):
    made(tmp_path, *(f"DInSAR/{name}" for name in ("a.tif", "b.TIF", "c.tiff", "coco1.tif", "readme.txt")))
    made(tmp_path, "other.tif")
    found, passed_over = names_of(rasters_of_card(tmp_path, pattern))
    assert found == taken
    assert set().union(*passed_over) == unused


def test_masks_are_neither_scenes_nor_unused(tmp_path):
    made(tmp_path, "coco1.tif", "coco2.TIF", "delineation1.tif", "Delineation2.TIF")
    choice = rasters_of_card(tmp_path, "*.tif", "delineation*.tif")
    assert names_of(choice) == (["coco1.tif", "coco2.TIF"], [])


@pytest.mark.parametrize("pattern", ["", "/data/*.tif"])
def test_a_pattern_that_leaves_the_folder_is_refused(tmp_path, pattern):
    with pytest.raises(DataError, match="does not start from this folder; mend `layout`"):
        rasters_of_card(tmp_path, pattern)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([], "it is empty; name where the interferograms are"),
        (["a.zip", "b.zip", "notes.txt"], r"only 2 \.zip, 1 \.txt; unpack what is packed"),
        (["p1/a.tif", "p2/b.tif"], "only the folders p1, p2; name the folders that hold the scenes"),
        (["lines.gpkg", "README"], r"only 1 \.gpkg, 1 without a suffix; name where the interferograms are"),
    ],
)
def test_a_folder_in_which_nothing_is_taken_says_what_it_holds(tmp_path, files, told):
    folder = made(tmp_path / "scenes", *files)
    folder.mkdir(exist_ok=True)
    with pytest.raises(DataError, match=rf"scenes: holds no raster \(\.tif, .*\), {told}"):
        check_scenes_found(folder, rasters_of_folder(folder))


def test_the_folder_of_a_products_bands_is_no_folder_of_scenes(tmp_path):
    made(tmp_path, "a.dim", "a.data/i_ifg.img", "a.data/q_ifg.img")
    with pytest.raises(DataError, match=r"belongs to the \.dim file beside its folder"):
        check_scenes_found(tmp_path / "a.data", rasters_of_folder(tmp_path / "a.data"))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("x/20180620_20180626.tif", "20180620_20180626"),
        ("x/S1.2018.TIFF", "S1.2018"),
        ("x/20180620_20180626.geo.diff_pha.tif", "20180620_20180626.geo.diff_pha"),
        ("20180620_20180626/merged/filt_topophase.flat.geo", "20180620_20180626"),
        ("20180620_20180626/merged/filt_topophase.flat.geo.vrt", "20180620_20180626"),
        ("intf/2018170_2018176/phasefilt_ll.grd", "2018170_2018176"),
        ("intf/2018170_2018176/getz.grd", "getz"),
        ("x/geo_180620-180626.int", "geo_180620-180626"),
        ("x/a.tif.vrt", "a"),
        ("x/phase.tif", "phase"),
        ("NETCDF:x/pair.nc:phase", "pair"),
        ('HDF5:"x/pair.h5"://science/phase', "pair"),
    ],
)
def test_a_scene_is_called_by_its_file_or_by_the_folder_of_its_pair(tmp_path, path, name):
    assert scene_stem(tmp_path / path if ":" not in path else type(tmp_path)(path)) == name


def test_two_scenes_of_one_name_are_refused_and_one_given_twice_is_not(tmp_path):
    made(tmp_path, "a.tif", "a.nc", "b.tif")
    with pytest.raises(DataError, match=r"a\.tif: has the name of .*a\.nc \(a\); rename one"):
        distinct_scenes([tmp_path / "a.nc", tmp_path / "b.tif", tmp_path / "a.tif"], "rename one")
    assert distinct_scenes([tmp_path / "b.tif"] * 2, "rename one") == [tmp_path / "b.tif"]


def test_links_are_scenes_and_folders_are_not(tmp_path):
    made(tmp_path, "far/a.tif")
    (tmp_path / "b.tif").symlink_to(tmp_path / "far" / "a.tif")
    (tmp_path / "c.tif").mkdir()
    (tmp_path / "d.tif").symlink_to(tmp_path / "gone.tif")
    assert names_of(choose_scenes(tmp_path.iterdir()))[0] == ["b.tif", "d.tif"]


def test_a_raster_that_a_used_link_leads_to_is_used(tmp_path):
    made(tmp_path, "a.tif", "b.tif", "DInSAR/c.tif")
    (tmp_path / "DInSAR" / "a.tif").symlink_to(tmp_path / "a.tif")
    assert names_of(rasters_of_card(tmp_path, "DInSAR/*")) == (["a.tif", "c.tif"], [{"b.tif"}])
