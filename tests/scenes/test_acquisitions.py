"""The radar that a name tells; what could be anything tells none."""

import pytest

from glsweep.scenes.names import _SENSORS, sensor_of


@pytest.mark.parametrize(
    ("name", "sensor"),
    [
        ("S1A_IW_SLC__1SDV_20180620T081143_20180626", "Sentinel-1"),
        ("S1AB_20180620T081143_20180626T081143_VVP006_INT80_G_ueF_1A2B_wrapped_phase", "Sentinel-1"),
        ("S1-GUNW-D-R-087-tops-20180626_20180620-081143", "Sentinel-1"),
        ("S1_136231_IW2_20200604_20200616_VV_INT80_663F", "Sentinel-1"),
        ("s1b-iw-slc-vv-20180620t081143", "Sentinel-1"),
        ("CSKS4_20130104_20130105", "COSMO-SkyMed"),
        ("TDX1_SAR__SSC_20140101", "TerraSAR-X"),
        ("NISAR_L2_PR_GUNW_002_034_A_010_003_2000_SH_20280620T081143", "NISAR"),
        ("ERS1_19960101_ERS2_19960102", "ERS"),
        ("ALOS2_20180620", "ALOS-2"),
        ("ALPSRP123456789", "ALOS"),
        ("scene_s1_20180620", None),
        ("scene_S1", None),
        ("others_20180620", None),
        ("S1ABC_1", None),
        ("S1A_versus_TSX", None),
    ],
)
def test_a_name_tells_its_sensor_or_nothing(name, sensor):
    found = sensor_of(name, {})
    assert (found.name if found else None) == sensor


@pytest.mark.parametrize("sensor", [sensor for _, sensor in _SENSORS])
def test_what_is_written_as_a_tag_is_read_again(sensor):
    assert sensor_of("20180620_20180626", {"SENSOR": sensor.name}) == sensor
