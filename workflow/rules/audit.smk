# Proof that nothing leaked; a violation stops the run.
rule audit:
    input:
        images=f"{R}/quality/images.parquet",
        task=f"{R}/quality/task.json",
        folds=f"{R}/split/folds.parquet",
        dropped=f"{R}/split/dropped.parquet",
        tables=of_recipes("table.parquet"),
        fits=of_recipes("fits.json") + of_packs("fits.json"),
        runs=of_packs("runs.parquet"),
        models=of_packs("models"),
        predictions=TRAINED,
        manifest=f"{R}/deidentify/manifest.parquet",
        plan=after_plan,
        plan_fits=PLAN_FITS,
    output:
        findings=f"{R}/audit/findings.parquet",
    log:
        f"{R}/logs/audit.log",
    benchmark:
        f"{R}/benchmarks/audit.tsv"
    conda:
        CPU
    params:
        results=results_folder,
        demonstration=STUDY.demonstration,
        code=code("audit"),
    script:
        "../scripts/audit.py"
