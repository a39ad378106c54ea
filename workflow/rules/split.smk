# Folds by patient.
rule split:
    input:
        images=f"{R}/quality/images.parquet",
        task=f"{R}/quality/task.json",
    output:
        folds=f"{R}/split/folds.parquet",
        dropped=f"{R}/split/dropped.parquet",
    log:
        f"{R}/logs/split.log",
    benchmark:
        f"{R}/benchmarks/split.tsv"
    conda:
        CPU
    params:
        settings=section("split"),
        code=code("split"),
    script:
        "../scripts/split.py"
