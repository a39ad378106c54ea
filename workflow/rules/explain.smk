# Where the chosen network looks, on right and wrong test cases.
rule explain:
    input:
        choice=f"{R}/evaluate/choice.json",
        predictions=f"{R}/predictions.parquet",
        images=f"{R}/quality/images.parquet",
        task=f"{R}/quality/task.json",
        stores=STORES,
        masks=MASKS,
        models=of_packs("models"),
    output:
        gallery=f"{R}/explain/gallery.parquet",
        heat=f"{R}/explain/heat.npz",
    log:
        f"{R}/logs/explain.log",
    benchmark:
        f"{R}/benchmarks/explain.tsv"
    conda:
        CPU
    threads: KERAS_THREADS
    resources:
        gpu=1,
    params:
        settings=section("explain"),
        results=results_folder,
        code=code("explain"),
    script:
        "../scripts/explain.py"
