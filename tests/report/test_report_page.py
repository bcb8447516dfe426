import base64
import io
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from synthetic_study import write_study

from glsweep.config.trial import Stratum
from glsweep.errors import StudyError
from glsweep.files import read_json, write_json
from glsweep.report.console import print_results
from glsweep.report.page import write_report
from glsweep.report.table import table_frame
from glsweep.study.artifacts import StageRecord, Winners, read_artifact, write_artifact
from glsweep.study.evaluation_artifacts import FailedRow, StudyTable

ONE = (Stratum("unet", 32),)
EVIL = "<script>alert('getz')</script> & $\\frac{1}$"
SECTIONS = {
    "header",
    "cautions",
    "results",
    "charts",
    "members",
    "samples",
    "sweep",
    "setup",
    "data",
    "citations",
}
LOADING = {"src", "srcset", "poster", "data", "background", "action", "formaction"}


class Page(HTMLParser):
    """What a test asks of the page: its tags with attributes, and its visible text."""

    def __init__(self, html: str):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("img", "meta", "br", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def attributes(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(study):
    return Page(study.report_html.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    study = write_study(tmp_path_factory.mktemp("whole") / "study", repeats=1, title=EVIL)
    return study, write_report(study), page_of(study)


def test_the_page_is_well_formed_and_has_every_section(whole):
    _, _, page = whole
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert set(ids) >= SECTIONS
    assert len(ids) == len(set(ids))


def test_every_link_within_the_page_leads_somewhere(whole):
    _, _, page = whole
    ids = {attributes.get("id") for _, attributes in page.tags}
    targets = {a["href"][1:] for a in page.attributes("a") if a["href"].startswith("#")}
    assert targets
    assert targets <= ids


def test_nothing_is_loaded_from_outside_the_page(whole):
    study, _, page = whole
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert tag != "script" or "src" not in attributes
        for name, value in attributes.items():
            assert name not in LOADING or value.startswith("data:image/")
            assert name != "href" or tag == "a"
    style = study.report_html.read_text(encoding="utf-8").split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_every_stratum_is_named_in_the_table_and_has_samples(whole):
    study, _, page = whole
    for stratum in (Stratum(a, s) for s in (128, 256) for a in ("unet", "attention_unet", "unetpp")):
        assert page.text.count(stratum.title) >= 4
        assert (study.figures / f"samples-{stratum.key}.png").is_file()


def test_every_figure_has_words_and_is_drawn_or_is_a_picture_that_is_not_blank(whole):
    _, summary, page = whole
    images = page.attributes("img")
    drawn = [attributes for attributes in page.attributes("div") if "data-figure" in attributes]
    assert len(images) + len(drawn) == len(page.attributes("figure")) == summary.figures
    assert all(len(words) > 30 for words in [i["alt"] for i in images] + [d["aria-label"] for d in drawn])
    for attributes in images:
        picture = Image.open(io.BytesIO(base64.b64decode(attributes["src"].partition(",")[2])))
        assert picture.format == "WEBP"
        assert picture.width / picture.height == pytest.approx(
            int(attributes["width"]) / int(attributes["height"]), rel=0.01
        )
        assert np.asarray(picture.convert("L")).std() > 5
    assert len(page.attributes("figcaption")) == summary.figures


def test_every_figure_lies_beside_the_page_as_png_and_as_svg_and_is_linked(whole):
    study, summary, page = whole
    links = {a["href"] for a in page.attributes("a") if a["href"].startswith("figures/")}
    files = {f"figures/{path.name}" for path in study.figures.iterdir()}
    assert links == files
    assert len(files) == 2 * summary.figures
    for path in study.figures.glob("*.svg"):
        assert ET.parse(path).getroot().tag.endswith("svg")


def test_the_page_stays_small_enough_to_send(whole):
    study, _, _ = whole
    assert study.report_html.stat().st_size < 8_000_000


def test_text_of_the_user_cannot_become_markup(whole):
    study, _, page = whole
    assert EVIL in page.text
    assert "<script>alert" not in study.report_html.read_text(encoding="utf-8")
    assert "&lt;script&gt;" in study.report_html.read_text(encoding="utf-8")


def test_the_table_says_that_patch_sizes_do_not_compare(whole):
    _, _, page = whole
    assert "Metrics of different patch sizes are not comparable" in page.text
    assert page.text.index("Patches of 128 px") < page.text.index("Patches of 256 px")


def test_scenes_without_a_line_and_rows_without_a_geometry_are_named(whole):
    _, _, page = whole
    assert "Scenes without a line: getz_05_20080514" in page.text
    assert "3 of them without a geometry" in page.text
    assert "getz_02_20080214: 2, getz_04_20080414: 1" in page.text


def test_a_threshold_on_the_edge_of_the_grid_is_a_caution(whole):
    _, summary, page = whole
    assert any("edge of the grid for U-Net 128 (tau 0.90)" in caution for caution in summary.cautions)
    assert "edge of the grid for U-Net 128 (tau 0.90)" in page.text


def test_outcomes_are_counted_with_their_rungs_and_reasons(whole):
    _, _, page = whole
    assert "stopped at rung 1" in page.text
    assert "failed: the loss became NaN at epoch 1" in page.text


def test_a_split_that_leaks_is_said_to_leak(make_study):
    study = make_study(strata=ONE, rule="patch", repeats=1)
    summary = write_report(study)
    assert summary.cautions[0].startswith("The split leaks")
    assert "93% of the test patches of 32 px" in summary.cautions[0]
    assert "This split leaks" in page_of(study).text


def test_a_leak_proof_split_is_proved_not_warned_of(whole):
    _, summary, page = whole
    text = page.text
    assert not any("leak" in caution for caution in summary.cautions)
    assert "171,432 pairs of patches" in text
    assert "none share ground" in text


@pytest.mark.parametrize(
    "variation",
    [
        {"strata": (Stratum("unetpp", 32), Stratum("unet", 64)), "failures": False, "repeats": 1},
        {"strata": ONE, "rank_by": "val_loss", "intervals": False, "repeats": 3},
    ],
    ids=["two strata of different sizes and kinds", "ranked by loss without intervals"],
)
def test_any_subset_of_strata_makes_a_page(make_study, variation):
    study = make_study(**variation)
    write_report(study)
    text = page_of(study).text
    assert all(stratum.title in text for stratum in variation["strata"])


def test_a_sweep_in_which_all_trials_failed_still_makes_a_page(make_study):
    study = make_study(strata=ONE, repeats=1)
    rows = study.trials_csv.read_text().splitlines()
    header = rows[0].split(",")
    failed = {"outcome": "failed", "best": "", "best_epoch": "", "rung_epoch": "", "reason": "out of memory"}
    lines = []
    for row in rows[1:]:
        cells = dict(zip(header, row.replace('"real,imag"', "real").split(","), strict=True))
        lines.append(",".join({**cells, **failed}.values()))
    study.trials_csv.write_text("\n".join([rows[0], *lines]) + "\n")
    study.ledger_jsonl.write_text("")
    write_artifact(study.winners_json, Winners(by_stratum={}))
    write_report(study)
    assert "6 trials failed: out of memory (6)" in page_of(study).text


def test_a_stratum_that_failed_stands_in_every_table_with_its_reason_and_its_remedy(make_study):
    study = make_study(strata=ONE, repeats=1)
    why = {"stage": "sweep", "reason": "all 2 trials [failed]", "remedy": "add a smaller `learning_rate`"}
    failed = [
        FailedRow(
            stratum=stratum.key,
            title=stratum.title,
            architecture=stratum.architecture,
            patch_size_px=stratum.patch_size_px,
            **why,
        )
        for stratum in (Stratum("unetpp", 32), Stratum("unet", 64))  # of 64 px nothing was tested
    ]
    table = read_artifact(study.table_json, StudyTable).model_copy(update={"failed": tuple(failed)})
    write_artifact(study.table_json, table)
    summary = write_report(study)
    page = page_of(study)
    told = "failed in stage sweep: all 2 trials [failed]. To mend it, add a smaller `learning_rate`."
    assert page.text.count(told) == 2
    assert "Patches of 64 px" in page.text
    assert any("U-Net++ 32 is not in the table" in caution for caution in summary.cautions)
    frame = table_frame(table).set_index("model")
    assert list(frame.loc[["U-Net++ 32", "U-Net 64"], "kind"]) == ["failed"] * 2
    assert frame.loc["U-Net 64", "remedy"] == why["remedy"]
    study.finish("report", 1.0, summary)
    console = Console(width=200, file=io.StringIO())
    print_results(study, console)
    assert len(re.findall(r"U-Net\S* .*failed", console.file.getvalue())) >= 2
    assert "32 px: U-Net draws the line best" in console.file.getvalue()


def test_what_was_trained_otherwise_than_searched_is_told(make_study):
    study = make_study(strata=ONE, repeats=1)
    path = study.member(ONE[0]) / "card.json"
    write_json(path, {**read_json(path), "changed_since_trial": {"batch_size": [16, 25]}})
    write_report(study)
    assert "otherwise than searched batch_size 25 (the trial had 16)" in page_of(study).text


def test_equal_studies_make_equal_pages(make_study):
    pages = []
    for name in ("one", "two"):
        study = make_study(f"{name}/study", strata=ONE, repeats=1)
        for path in (study.directory / "stages").iterdir():
            record = read_artifact(path, StageRecord)
            write_artifact(path, record.model_copy(update={"finished_unix_s": 1_800_000_000, "wall_s": 1.0}))
        write_report(study)
        pages.append(study.report_html.read_bytes())
    assert pages[0] == pages[1]


def test_a_report_replaces_the_figures_of_the_one_before_and_leaves_the_settings_of_matplotlib_alone(
    make_study,
):
    import matplotlib as mpl

    study = make_study(strata=ONE, repeats=1)
    study.figures.mkdir()
    (study.figures / "samples-unet-999.png").write_bytes(b"old")
    before = dict(mpl.rcParams)
    write_report(study)
    assert not (study.figures / "samples-unet-999.png").exists()
    assert dict(mpl.rcParams) == before


def test_a_study_that_was_not_evaluated_is_refused_with_the_remedy(make_study):
    study = make_study(strata=ONE, repeats=1)
    study.stage_record("evaluate").unlink()
    with pytest.raises(StudyError, match="stage `evaluate` has not been run"):
        write_report(study)
    assert not study.report_html.exists()


def test_a_missing_file_is_named(make_study):
    study = make_study(strata=ONE, repeats=1)
    study.winners_json.unlink()
    with pytest.raises(StudyError, match=r"winners\.json: is missing"):
        write_report(study)
