"""From evidence to the page: which section shows what, rendered with page.html.j2."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from markupsafe import Markup, escape

import asclepius
from asclepius import provenance
from asclepius.audit.stamp import STAMP
from asclepius.report import (
    augmentation,
    cohort,
    comparison,
    curves,
    differences,
    flow,
    gallery,
    generated,
    plots,
    verdicts,
)
from asclepius.report.answer import answer
from asclepius.report.canary import Canary
from asclepius.report.drawing import Drawing
from asclepius.report.evidence import Evidence
from asclepius.report.picture import Picture
from asclepius.report.settings import ReportSettings
from asclepius.report.tabular import Table
from asclepius.report.wording import DEFINITIONS, metric, role, without_home
from asclepius.templates import environment

TEMPLATES = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """One heading of the page.

    Args:
        anchor: what links point to.
        title: the heading.
        lead: sentences that say how to read what follows.
        empty: said when there is nothing to show.
    """

    anchor: str
    title: str
    lead: str = ""
    tables: list[Table] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)
    empty: str = ""
    pictures: list[Picture] = field(default_factory=list)

    @property
    def has(self) -> bool:
        return bool(self.tables or self.drawings or self.pictures)


@dataclass(frozen=True)
class Page:
    html: str
    drawings: list[Drawing]
    sheet: bytes | None


def page(evidence: Evidence, settings: ReportSettings, study: str, canary: Canary | None = None) -> Page:
    """The whole report; equal evidence gives equal text."""
    sections = _sections(evidence)
    cases = gallery.cases(evidence)
    flow_drawing = flow.drawing(evidence.flow, _uses(evidence))
    values = {
        "study": study,
        "title": settings.title or study,
        "question": settings.question,
        "stamp": STAMP if evidence.config.get("demonstration") else None,
        "answer": answer(evidence),
        "evidence": evidence,
        "cohort": cohort.table_one(evidence),
        "flow": flow_drawing,
        "quarantine": cohort.quarantine(evidence),
        "sections": sections,
        "cases": cases,
        "hidden_cases": len(evidence.gallery) - len(cases),
        "runs": comparison.runs(evidence),
        "findings": comparison.findings(evidence),
        "canary": canary,
        "settings": yaml.safe_dump(without_home(evidence.config), sort_keys=False, allow_unicode=True, width=100),
        "versions": provenance.environment(),
        "version": asclepius.__version__,
        "code": provenance.fingerprint("report.command"),
        "definitions": [(metric(name), text) for name, text in DEFINITIONS.items()],
        "metric": metric,
        "role": role,
        "css": Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        "confidence": f"{100 * evidence.confidence:g} %",
        "draws": (evidence.config.get("evaluate") or {}).get("bootstrap", 1000),
    }
    made = environment(TEMPLATES)
    made.filters["breakable"] = lambda text: Markup(escape(text).replace("_", Markup("_<wbr>")))
    made.filters["svg"] = lambda drawing: Markup(drawing.inline())
    html = made.get_template("page.html.j2").render(values)
    drawings = [flow_drawing, *(drawing for section in sections for drawing in section.drawings)]
    print(f"report: {len(drawings)} plots, {len(cases)} explained cases", file=sys.stderr)
    return Page(html, drawings, gallery.sheet(cases) if cases else None)


def _uses(evidence: Evidence) -> dict[str, tuple[int, int]]:
    """Patients and images by role; only where a patient keeps one role, as it does not over several folds."""
    if evidence.folds["fold"].nunique() > 1:
        return {}
    found = {}
    for name in ("train", "validation", "test", "external"):
        of = evidence.in_role(name)
        if len(of):
            found[role(name).capitalize()] = (int(of["patient"].nunique()), len(of))
    return found


def _present(items: list[Any]) -> list[Any]:
    return [item for item in items if item is not None]


def _sections(evidence: Evidence) -> list[Section]:
    """The sections made of tables and plots, in the order of the page."""
    roles = evidence.roles
    binary = evidence.task.kind == "binary"
    return [
        Section(
            "arms",
            "Arms compared",
            "An arm is a complete recipe: model, balancing, augmentation and training. All arms were tested on the "
            "same patients. The order is that of the validation score, which made the choice.",
            [
                *(table for where in roles for table in comparison.arms(evidence, where)),
                *_present([comparison.normalisation(evidence), comparison.runs(evidence)]),
            ],
            _present([plots.comparison(evidence, where) for where in roles]),
        ),
        Section(
            "differences",
            f"Arm by arm beside {evidence.reference}" if evidence.reference else "Arm by arm",
            "Differences on the same patients, mean over seeds. A difference is claimed only where its interval "
            "excludes zero; “no difference that the data can show” does not mean that there is none. The intervals "
            "hold the trained models fixed: they tell what other patients would change. What another training would "
            "change is told by the seeds; they are named where not all agree.",
            _present([verdicts.arms(evidence, where) for where in roles]),
            empty="There is one arm, so there is nothing to compare.",
        ),
        Section(
            "sizes",
            "Differences in figures",
            "Differences on the same patients with their intervals; bold where zero is outside, dotted the line of no "
            "difference. Decisions depend on each arm's own threshold; what needs none compares the models themselves.",
            [table for where in roles for table in differences.tables(evidence, where)],
            [drawing for where in roles for drawing in plots.differences(evidence, where)],
            empty="There is one arm, so there is nothing to compare.",
        ),
        Section(
            "discrimination",
            "Finding and sparing: ROC and precision-recall",
            "ROC: how many are found (up) at the price of how many false alarms (right), over all thresholds. "
            "Precision-recall: how many of the alarms are right; the dotted line is what blind guessing reaches. "
            "Shaded: the interval"
            + (" of the chosen arm." if len(evidence.arms) > curves.BANDS else ".")
            + " In brackets: area under ROC, average precision.",
            drawings=[
                drawing
                for where in roles
                for curve in ("roc", "precision-recall")
                for drawing in curves.drawings(evidence, curve, where)
            ],
            empty="No curves could be computed.",
        ),
        Section(
            "calibration",
            "Are the probabilities right? Calibration",
            "Images grouped by predicted probability: on the dotted line, the predicted share is the observed one. "
            "Balancing by over- or undersampling usually moves a curve below the line: probabilities are too high.",
            tables=[table for where in roles for table in differences.calibration(evidence, where)],
            drawings=[drawing for where in roles for drawing in curves.drawings(evidence, "calibration", where)],
            empty="No calibration could be computed.",
        ),
        Section(
            "confusion",
            "Which class is taken for which? Confusion matrices",
            "Rows are the truth, columns the prediction: "
            + ("the most probable class" if evidence.task.kind == "multiclass" else "at the validation threshold")
            + ". Percentages are shares of a row. Counts are means over seeds.",
            drawings=[drawing for where in roles for drawing in plots.confusions(evidence, where)],
            empty="No test image was predicted.",
        ),
        *(
            []
            if binary
            else [
                Section(
                    "classes",
                    "Class by class",
                    "Each class against all others.",
                    comparison.classes(evidence),
                    empty="No figures for single classes.",
                )
            ]
        ),
        Section(
            "subgroups",
            "Subgroups",
            "Is the chosen arm as good for everyone?",
            comparison.subgroups(evidence),
            empty="No subgroup was asked for. Name columns in evaluate.subgroups, e.g. [sex, age, site].",
        ),
        Section(
            "runs",
            "Folds and seeds",
            "How much the result depends on the draw of the split and on chance in training.",
            _present([comparison.spread(evidence)]),
            _present([plots.runs(evidence)]),
            empty="There is one run per arm, so there is no spread to show.",
        ),
        Section(
            "learning",
            "Learning curves",
            "Loss is what training minimises. Validation loss that rises while training loss falls means overfitting; "
            "two curves still falling at the end mean that more epochs may help. Weighted losses of different arms "
            "cannot be compared by height.",
            drawings=_present([plots.learning(evidence)]),
            empty="No arm was trained in epochs.",
        ),
        Section(
            "balance",
            "Class balance",
            "What balancing did to the training examples.",
            _present([comparison.balance(evidence)]),
            empty="No balancing recipe was recorded.",
        ),
        *(
            [
                Section(
                    "generated",
                    "Synthetic images",
                    generated.LEAD,
                    generated.tables(evidence),
                    pictures=generated.pictures(evidence),
                )
            ]
            if generated.folders(evidence)
            else []
        ),
        Section(
            "augmentation",
            "Augmentation",
            "What training images look like to the network, epoch by epoch. Every value is drawn anew for each image "
            "and epoch between the limits named; a percentage is the share of images. Validation and test images are "
            "never changed.",
            pictures=augmentation.sheets(evidence),
            empty="No arm augments.",
        ),
        Section(
            "thresholds",
            "Thresholds",
            "From which probability an image is called positive. Chosen on validation patients of each run, "
            "never on test patients.",
            _present([comparison.thresholds(evidence)]),
            empty="No thresholds: the most probable class is the prediction.",
        ),
    ]
