# One self-contained page.
rule report:
    input:
        images=f"{R}/quality/images.parquet",
        flow=f"{R}/quality/flow.json",
        quarantine=f"{R}/quality/quarantine.parquet",
        task=f"{R}/quality/task.json",
        folds=f"{R}/split/folds.parquet",
        dropped=f"{R}/split/dropped.parquet",
        recipes=of_recipes("recipe.json"),
        histories=of_packs("history.parquet"),
        runs=of_packs("runs.parquet"),
        findings=f"{R}/audit/findings.parquet",
        metrics=f"{R}/evaluate/metrics.parquet",
        differences=f"{R}/evaluate/differences.parquet",
        thresholds=f"{R}/evaluate/thresholds.parquet",
        curves=f"{R}/evaluate/curves.parquet",
        confusion=f"{R}/evaluate/confusion.parquet",
        choice=f"{R}/evaluate/choice.json",
        gallery=f"{R}/explain/gallery.parquet",
        heat=f"{R}/explain/heat.npz",
    output:
        page=report(f"{R}/report.html", caption="../report/page.rst", category="Report"),
        figures=directory(f"{R}/report/figures"),
    log:
        f"{R}/logs/report.log",
    benchmark:
        f"{R}/benchmarks/report.tsv"
    conda:
        CPU
    params:
        settings=section("report"),
        study=STUDY.study,
        config=STUDY.model_dump(mode="json"),
        code=code("report"),
    script:
        "../scripts/report.py"
