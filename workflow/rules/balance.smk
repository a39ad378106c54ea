# The training table of a fold and its synthetic examples; arms with one recipe share it.
rule balance:
    input:
        images=f"{R}/quality/images.parquet",
        folds=f"{R}/split/folds.parquet",
        task=f"{R}/quality/task.json",
        stores=STORES,
    output:
        table=f"{R}/balance/{{recipe}}/fold-{{fold}}/table.parquet",
        recipe=f"{R}/balance/{{recipe}}/fold-{{fold}}/recipe.json",
        synthetic=f"{R}/balance/{{recipe}}/fold-{{fold}}/synthetic.npy",
        fits=f"{R}/balance/{{recipe}}/fold-{{fold}}/fits.json",
        generated=directory(f"{R}/balance/{{recipe}}/fold-{{fold}}/generated"),
    log:
        f"{R}/logs/balance/{{recipe}}-fold-{{fold}}.log",
    benchmark:
        f"{R}/benchmarks/balance/{{recipe}}-fold-{{fold}}.tsv"
    conda:
        CPU
    threads: recipe_threads
    resources:
        gpu=recipe_gpu,
        mem_mb=recipe_memory,
        runtime=recipe_runtime,
    params:
        settings=recipe_settings,
        columns=recipe_columns,
        pixels=recipe_pixels,
        state=f"{R}/balance/.state/{{recipe}}/fold-{{fold}}",
        code=code("balance"),
    script:
        "../scripts/balance.py"
