"""The report stage."""

from pathlib import Path

from asclepius.report.settings import ReportSettings
from asclepius.tables import replacing, write_text


def run(
    *,
    settings: ReportSettings,
    study: str,
    config: dict[str, object],
    images: Path,
    folds: Path,
    dropped: Path,
    flow: Path,
    quarantine: Path,
    task: Path,
    recipes: list[Path],
    histories: list[Path],
    runs: list[Path],
    findings: Path,
    metrics: Path,
    differences: Path,
    thresholds: Path,
    checks: Path,
    curves: Path,
    confusion: Path,
    choice: Path,
    gallery: Path,
    heat: Path,
    sheets: list[Path],
    words: Path,
    page: Path,
    figures: Path,
    canary: Path | None = None,
) -> None:
    """Write the study's answer, with all that backs it, as one HTML page and a folder of figures.

    Args:
        findings, checks: of the audit, and of what the evaluate stage fitted.
        config: the whole study as settings, shown at the end of the page; absolute paths lose their folders.
        sheets, words: of the augment stage.
        page: the page; it needs no other file and no network.
        figures: folder of the page's figures as SVG and PNG; what it held before is removed.
        canary: canary.json, where the canary has been run.

    Raises:
        StudyError: an input is not the table it should be.
    """
    paths = {name: value for name, value in locals().items() if name not in ("settings", "study", "config")}
    # Imported here: Matplotlib takes most of a second, and the command line lists every stage.
    from asclepius.report import page as pages
    from asclepius.report.canary import read
    from asclepius.report.evidence import load

    evidence = load(config, paths)
    made = pages.page(evidence, settings, study, read(canary, evidence.images))
    figures.mkdir(parents=True, exist_ok=True)
    for old in [*figures.glob("*.svg"), *figures.glob("*.png")]:
        old.unlink()
    for drawing in made.drawings:
        write_text(figures / f"{drawing.name}.svg", drawing.file())
    if made.sheet is not None:
        with replacing(figures / "gallery.png") as temporary:
            temporary.write_bytes(made.sheet)
    write_text(page, made.html)
    print(f"report: {page}")
