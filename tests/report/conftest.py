import pytest
from fabricated import Fabricated, Shape

from asclepius.report.command import run
from asclepius.report.settings import ReportSettings


def write_report(study: Fabricated, settings: ReportSettings | None = None, **options) -> str:
    """The page of a fabricated study."""
    page = study.root / "report.html"
    run(
        settings=settings or ReportSettings(),
        study="fabricated",
        config=study.config(),
        page=page,
        figures=study.root / "report" / "figures",
        **study.paths,
        **options,
    )
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def reported(tmp_path_factory):
    """Make (once per shape) a study and its page."""
    made = {}

    def make(shape: Shape) -> tuple[Fabricated, str]:
        key = repr(shape)
        if key not in made:
            study = Fabricated(tmp_path_factory.mktemp("study"), shape)
            made[key] = study, write_report(study)
        return made[key]

    return make


@pytest.fixture
def report_again():
    return write_report
