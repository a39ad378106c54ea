"""The page as its readers meet it: whole, self-contained, true to the tables, and honest."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from fabricated import Fabricated, Shape

from asclepius import tables
from asclepius.audit.stamp import STAMP
from asclepius.errors import StudyError
from asclepius.evaluate.schema import DIFFERENCES, METRICS
from asclepius.provenance import write_json
from asclepius.quality.schema import IMAGES
from asclepius.report.canary import cohort_digest
from asclepius.report.evidence import Estimate
from asclepius.report.settings import ReportSettings
from asclepius.report.wording import full, percent_interval
from asclepius.split.schema import FOLDS

SECTIONS = {
    *("answer", "cohort", "flow", "arms", "differences", "sizes", "discrimination", "calibration", "confusion"),
    *("subgroups", "runs", "learning", "balance", "thresholds", "gallery", "audit", "words", "settings", "versions"),
    "repeat",
}
LONG = tuple(
    f"convnet-blocks_{b}-{m}-{a}" for b in (3, 4) for m in ("none", "smote", "over") for a in ("plain", "rich")
)
SHAPES = {
    "binary": Shape(),
    "bare": Shape(
        arms=("default",),
        folds=1,
        known_patients=False,
        demographics=False,
        quarantined=False,
        gallery=0,
        intervals=False,
        subgroups=(),
        prevalence=0.1,
    ),
    "twelve-arms": Shape(arms=LONG, external=True, masks=False, folds=1),
    "six-classes": Shape(
        classes=("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "Head & neck <contrast>"),
        kind="multiclass",
        arms=("convnet", "smote"),
        folds=1,
        seeds=(1, 2),
    ),
    "multi-label": Shape(classes=("Atelectasis", "Effusion"), kind="multilabel", arms=("convnet",), folds=1),
}
VOID = {"meta", "img", "br", "wbr", "input", "link", "hr"}


class Reader(HTMLParser):
    """Checks that tags nest, and collects ids, links and the text a person reads."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.stack, self.ids, self.anchors, self.text, self.sources = [], [], [], [], []
        self.feed(html)
        self.close()
        assert not self.stack, f"never closed: {self.stack}"

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids += [values["id"]] if "id" in values else []
        self.sources += [values[name] for name in ("src", "href", "data", "poster", "srcset") if name in values]
        if tag == "a":
            self.anchors.append(values["href"])
        self.text += [values[name] for name in ("aria-label", "alt") if name in values]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        assert self.stack, f"</{tag}> without a start"
        assert self.stack.pop() == tag, f"</{tag}> in the wrong place"

    def handle_data(self, data):
        if not self.stack or self.stack[-1] not in ("style", "script"):
            self.text.append(data)


@pytest.fixture(params=SHAPES)
def page(request, reported):
    return reported(SHAPES[request.param])


def test_page_is_well_formed_and_every_section_is_there(page):
    study, html = page
    reader = Reader(html)
    wanted = SECTIONS | ({"classes"} if study.shape.kind != "binary" else set())
    assert wanted <= set(reader.ids)
    links = {address[1:] for address in reader.anchors if address.startswith("#")}
    assert links <= set(reader.ids), "a link of the contents leads nowhere"
    assert wanted <= links, "a section is missing in the contents"


def test_page_needs_nothing_from_outside(page):
    _, html = page
    assert not re.findall(r"https?://|//[a-z0-9-]+\.[a-z]", html.replace("data:image", ""))
    for source in Reader(html).sources:
        assert source.startswith(("data:image/png", "#")) or source == "quality/quality.html", source
    assert "url(" not in html.replace("url(#", ""), "only clip paths of the same page"
    assert len(html) < 10_000_000


def test_no_figure_without_value_reaches_the_reader(page):
    _, html = page
    words = set(re.findall(r"[A-Za-z]+", " ".join(Reader(html).text)))
    assert not words & {"nan", "NaN", "None", "inf", "NaT", "null"} - _words_of_settings(html)


def _words_of_settings(html: str) -> set[str]:
    """YAML may say null: the settings are shown as they are."""
    return {"null"} & set(re.findall(r"[A-Za-z]+", html.split('id="settings"')[1].split("</section>")[0]))


def test_ids_inside_figures_do_not_collide(page):
    _, html = page
    body = re.sub(r"<defs>.*?</defs>", "", html, flags=re.S)
    ids = Reader(body).ids
    assert len(ids) == len(set(ids))


def test_headline_figures_are_those_of_the_table(page):
    study, html = page
    metrics = tables.read(study.paths["metrics"], METRICS)
    pooled = metrics[(metrics["arm"] == study.chosen) & (metrics["fold"] == "all") & (metrics["seed"] == "all")]
    pooled = pooled[(pooled["subgroup"] == "all") & (pooled["class"] == "all")]
    said = html.split('id="answer"')[1].split("</section>")[0]
    for role in study_roles(metrics):
        for metric, write in (("auc", full), ("sensitivity", percent_interval), ("specificity", percent_interval)):
            row = pooled[(pooled["role"] == role) & (pooled["metric"] == metric)].iloc[0]
            assert write(Estimate(row["value"], row["low"], row["high"])) in said


def study_roles(metrics):
    return [role for role in ("test", "external") if (metrics["role"] == role).any()]


def test_equal_tables_give_equal_bytes(tmp_path, reported, report_again):
    study, first = reported(SHAPES["binary"])
    files = {path.name: path.read_bytes() for path in (study.root / "report/figures").iterdir()}
    again = Fabricated(tmp_path, SHAPES["binary"])
    assert report_again(again) == first
    assert {path.name: path.read_bytes() for path in (again.root / "report/figures").iterdir()} == files


def test_figures_are_files_too(reported):
    study, _ = reported(SHAPES["binary"])
    names = {path.name for path in (study.root / "report/figures").iterdir()}
    wanted = {"roc.svg", "precision-recall.svg", "calibration.svg", "learning-curves.svg", "comparison.svg", "flow.svg"}
    assert wanted | {"gallery.png", "runs.svg", "differences.svg"} <= names
    assert {f"confusion-{arm}.svg" for arm in study.shape.arms} <= names
    roc = (study.root / "report/figures/roc.svg").read_text(encoding="utf-8")
    assert "var(--" not in roc, "a file must show its colours without the page's style sheet"
    assert all(arm in roc for arm in study.shape.arms)


def test_figures_of_a_former_run_do_not_stay(reported, report_again):
    study, _ = reported(SHAPES["bare"])
    (study.root / "report/figures/confusion-gone.svg").write_text("old")
    report_again(study)
    assert not (study.root / "report/figures/confusion-gone.svg").exists()


def test_a_difference_whose_interval_includes_zero_is_said_to_be_unsupported(reported):
    study, html = reported(SHAPES["binary"])
    table = tables.read(study.paths["differences"], DIFFERENCES)
    table = table[table["metric"] == "auc"]
    box = {
        name: html.split(f"<h3>{title}</h3>")[1].split("</div>")[0] if title in html else ""
        for name, title in (("yes", "What the data support"), ("no", "What the data do not support"))
    }
    undecided = (table["low"] <= 0) & (table["high"] >= 0)
    assert undecided.any()
    assert not undecided.all()
    for item in table.itertuples():
        inside = item.low <= 0 <= item.high
        figure = full(Estimate(item.value, item.low, item.high), sign=True)
        assert (f"{item.arm} ({figure})" in box["no"]) == inside
        assert (f"{item.arm} ({figure})" in box["yes"]) == (not inside)


def test_worse_is_not_called_better_when_lower_is_better(tmp_path, report_again):
    study = Fabricated(tmp_path, Shape(arms=("a", "b"), folds=1))
    row = dict(
        arm="b", reference="a", role="test", metric="brier", value=0.1, low=0.05, high=0.15, n=9, p=np.nan, note="",
        p_holm=np.nan, seeds=1, agree=1,
    ) | {"class": "all"}  # fmt: skip
    tables.write(study.paths["differences"], pd.DataFrame([row]), DIFFERENCES)
    choice = study.values("choice") | {"metric": "brier"}
    study.paths["choice"].write_text(write_json(choice))
    assert "Worse than a in test Brier score: b" in report_again(study)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("bare", "The source names no patients"),
        ("bare", "one patient more or less moves"),
        ("bare", "no interval could be computed"),
        ("bare", "No image was set aside"),
        ("bare", "No case was explained"),
        ("binary", "No external data"),
        ("binary", "one seed"),
        ("twelve-arms", "of the external source, which it never trained on"),
        ("six-classes", "Head &amp; neck &lt;contrast&gt;"),
    ],
)
def test_what_the_reader_must_know_is_said(reported, name, sentence):
    assert sentence in reported(SHAPES[name])[1]


def test_known_patients_and_external_data_give_no_false_alarm(reported):
    assert "The source names no patients" not in reported(SHAPES["binary"])[1]
    assert "No external data" not in reported(SHAPES["twelve-arms"])[1]


def test_a_failed_audit_stands_before_the_result(tmp_path, report_again):
    html = report_again(Fabricated(tmp_path, Shape(arms=("default",), folds=1, failing_audit=True)))
    assert html.index("The audit failed") < html.index("test patients its AUC")


@pytest.mark.parametrize("folds", [1, 2])
def test_patients_who_count_as_one_are_told(tmp_path, report_again, folds):
    study = Fabricated(tmp_path, Shape(arms=("default",), folds=folds))
    assert "count as one" not in report_again(study)
    table = study.folds
    tested = table.loc[table["role"] == "test", "patient"].unique()
    tables.write(study.paths["folds"], table.replace({"group": {tested[0]: tested[1]}}), FOLDS)
    assert f"Test figures count {len(tested) - 1} patients: those who share an image" in report_again(study)


def test_a_recipe_that_takes_most_of_a_class_away_is_told(tmp_path, report_again):
    study = Fabricated(tmp_path, Shape(arms=("smote",), folds=1))
    path = study.paths["recipes"][0]
    recipe = json.loads(path.read_text())
    name, before = next(iter(recipe["before"].items()))
    for share, told in ((0.4, False), (0.6, True)):
        gone = int(share * before)
        path.write_text(json.dumps(recipe | {"method": "smote_enn", "removed": {"real": {name: gone}}}))
        words = f"Cleaning by smote_enn took {gone} of {before} training images of “{name}” away (fold 0)"
        assert (words in report_again(study)) == told


def test_examples_that_the_table_cannot_count_are_told(tmp_path, report_again):
    study = Fabricated(tmp_path, Shape(arms=("smote",), folds=1))
    path = study.paths["recipes"][0]
    words = "Examples made in a network&#39;s embedding"
    assert words not in report_again(study)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"space": "embedding"}))
    assert words in report_again(study)


def test_no_home_folder_in_the_settings(reported):
    html = reported(SHAPES["binary"])[1]
    assert "somebody" not in html
    assert "…/cohort" in html


def test_title_and_question_are_escaped(tmp_path, report_again):
    study = Fabricated(tmp_path, Shape(arms=("default",), folds=1))
    html = report_again(study, ReportSettings(title="<b>x</b>", question="a & b?"))
    assert "<h1>&lt;b&gt;x&lt;/b&gt;</h1>" in html
    assert "a &amp; b?" in html


def test_a_choice_that_no_metric_backs_is_refused(tmp_path, report_again):
    study = Fabricated(tmp_path, Shape(arms=("default",), folds=1))
    study.paths["choice"].write_text('{"arm": "ghost", "metric": "auc", "model": "m.keras"}')
    with pytest.raises(StudyError, match="'ghost' has no metrics"):
        report_again(study)


def test_every_arm_keeps_its_colour_in_all_figures(reported):
    from asclepius.report.drawing import looks

    study, _ = reported(SHAPES["binary"])
    colours = looks(list(study.shape.arms))
    assert len({look.colour for look in colours.values()}) == len(study.shape.arms)
    for name in ("roc", "comparison", "precision-recall", "calibration"):
        svg = (study.root / f"report/figures/{name}.svg").read_text(encoding="utf-8")
        assert all(look.colour in svg for look in colours.values()), name
    twelve = looks(list(LONG))
    assert len({(look.colour, str(look.dash)) for look in twelve.values()}) == 12


def test_each_way_of_augmenting_is_shown_once_with_its_arms(reported):
    study, html = reported(SHAPES["binary"])
    part = html.split('id="augmentation"')[1].split("</section>")[0]
    arms = study.shape.arms[1:]
    assert part.count("<img ") == 2 < len(arms)
    assert f"{arms[0]}: Rotation by ±1°." in part
    assert f"{', '.join(arms[1:])}: Rotation by ±2°." in part
    assert part.count("data:image/png;base64,") == 2


def test_a_demonstration_is_stamped_above_everything(tmp_path, report_again):
    study = Fabricated(tmp_path / "stamped", Shape(folds=1, settings={"demonstration": True}))
    html = report_again(study)
    assert html.index(STAMP) < html.index("<h1>")
    assert "<title>DEMONSTRATION:" in html
    plain = report_again(Fabricated(tmp_path / "plain", Shape(folds=1)))
    assert STAMP not in plain
    assert "DEMONSTRATION" not in plain


def test_a_canary_that_was_run_is_summarised_and_an_old_one_marked(tmp_path, report_again):
    study = Fabricated(tmp_path / "study", Shape(folds=1))
    images = tables.read(study.paths["images"], IMAGES)
    found = {"method": "smote", "auc": 0.93, "low": 0.81, "high": 1.0, "p": 1e-9, "folds": []}
    rows = [found | {"design": design, "failed": True} for design in ("fair", "naive")]
    outcome = {"rows": rows, "sentence": "The canary failed.", "passed": False, "confidence": 0.999}
    outcome["cohort"] = cohort_digest(images)
    path = study.root / "canary" / "canary.json"
    path.parent.mkdir()
    path.write_text(write_json(outcome))
    html = report_again(study, canary=path)
    assert "The canary failed." in html
    assert "0.93 (0.81 to 1.00)" in html
    assert "<strong>FAILED</strong>" in html
    assert "other images or labels since" not in html
    Reader(html)
    path.write_text(write_json(outcome | {"cohort": "another"}))
    assert "other images or labels since" in report_again(study, canary=path)
    assert "canary/canary.html" not in report_again(study)
