# Every run in MLflow; running again adds no duplicate.
rule track:
    input:
        images=f"{R}/quality/images.parquet",
        folds=f"{R}/split/folds.parquet",
        recipes=of_recipes("recipe.json"),
        histories=of_packs("history.parquet"),
        runs=of_packs("runs.parquet"),
        models=of_packs("models"),
        metrics=f"{R}/evaluate/metrics.parquet",
        choice=f"{R}/evaluate/choice.json",
        page=f"{R}/report.html",
        figures=f"{R}/report/figures",
    output:
        receipt=f"{R}/track/receipt.json",
    log:
        f"{R}/logs/track.log",
    benchmark:
        f"{R}/benchmarks/track.tsv"
    conda:
        CPU
    params:
        settings=section("track"),
        study=STUDY.study,
        config=STUDY.model_dump(mode="json"),
        arms={name: arm.model_dump(mode="json") for name, arm in ARMS.items()},
        store="results/mlflow.db",
        results=results_folder,
        code=code("track"),
    script:
        "../scripts/track.py"
