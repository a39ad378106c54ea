# Contact sheets of what each arm's augmentation does.
rule augment:
    input:
        images=f"{R}/quality/images.parquet",
        folds=f"{R}/split/folds.parquet",
        stores=STORES,
    output:
        sheets=SHEETS,
        words=f"{R}/augment/words.json",
    log:
        f"{R}/logs/augment.log",
    benchmark:
        f"{R}/benchmarks/augment.tsv"
    conda:
        CPU
    threads: KERAS_THREADS
    params:
        arms=AUGMENTED,
        seed=STUDY.seeds[0],
        code=code("augment"),
    script:
        "../scripts/augment.py"
