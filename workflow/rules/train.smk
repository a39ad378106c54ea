# Fitting one arm on a pack of its folds and seeds.
rule train:
    input:
        images=f"{R}/quality/images.parquet",
        folds=f"{R}/split/folds.parquet",
        task=f"{R}/quality/task.json",
        stores=STORES,
        tables=tables_of,
    output:
        predictions=f"{R}/train/{{arm}}/pack-{{pack}}/predictions.parquet",
        history=f"{R}/train/{{arm}}/pack-{{pack}}/history.parquet",
        table=f"{R}/train/{{arm}}/pack-{{pack}}/runs.parquet",
        fits=f"{R}/train/{{arm}}/pack-{{pack}}/fits.json",
        models=directory(f"{R}/train/{{arm}}/pack-{{pack}}/models"),
    log:
        f"{R}/logs/train/{{arm}}-pack-{{pack}}.log",
    benchmark:
        f"{R}/benchmarks/train/{{arm}}-pack-{{pack}}.tsv"
    conda:
        CPU
    threads: KERAS_THREADS
    resources:
        gpu=wants_gpu,
    params:
        model=arm_section("model"),
        augment=arm_section("augment"),
        train=arm_section("train"),
        runs=runs_of,
        state=f"{R}/train/.state/{{arm}}/pack-{{pack}}",
        results=results_folder,
        code=code("train"),
    script:
        "../scripts/train.py"
