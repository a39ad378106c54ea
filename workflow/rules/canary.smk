# Labels shuffled between patients through the rules of the study, into folders of their own: chance must come out.
# fair: folds by patient, as in a study; naive: the commonest mistake beside it.
rule canary_shuffle:
    input:
        images=f"{R}/quality/images.parquet",
        task=f"{R}/quality/task.json",
    output:
        moved=f"{R}/canary/shuffle-{{shuffle}}/images.parquet",
    log:
        f"{R}/logs/canary/shuffle-{{shuffle}}.log",
    benchmark:
        f"{R}/benchmarks/canary/shuffle-{{shuffle}}.tsv"
    conda:
        CPU
    params:
        settings=section("canary"),
        code=code("canary", "shuffling"),
    script:
        "../scripts/canary_shuffle.py"


use rule split as canary_split with:
    input:
        images=f"{R}/canary/shuffle-{{shuffle}}/images.parquet",
        task=f"{R}/quality/task.json",
    output:
        folds=f"{CANARY}/split/folds.parquet",
        dropped=f"{CANARY}/split/dropped.parquet",
    log:
        f"{R}/logs/canary/{{design}}-{{shuffle}}/split.log",
    benchmark:
        f"{R}/benchmarks/canary/{{design}}-{{shuffle}}/split.tsv"
    params:
        settings=canary_split,
        code=code("split"),


use rule balance as canary_balance with:
    input:
        images=f"{R}/canary/shuffle-{{shuffle}}/images.parquet",
        folds=f"{CANARY}/split/folds.parquet",
        task=f"{R}/quality/task.json",
        stores=STORES,
    output:
        table=f"{CANARY}/balance/{{recipe}}/fold-{{fold}}/table.parquet",
        recipe=f"{CANARY}/balance/{{recipe}}/fold-{{fold}}/recipe.json",
        synthetic=temp(f"{CANARY}/balance/{{recipe}}/fold-{{fold}}/synthetic.npy"),
        fits=f"{CANARY}/balance/{{recipe}}/fold-{{fold}}/fits.json",
        generated=temp(directory(f"{CANARY}/balance/{{recipe}}/fold-{{fold}}/generated")),
    log:
        f"{R}/logs/canary/{{design}}-{{shuffle}}/balance-{{recipe}}-fold-{{fold}}.log",
    benchmark:
        f"{R}/benchmarks/canary/{{design}}-{{shuffle}}/balance-{{recipe}}-fold-{{fold}}.tsv"
    threads: canary_threads
    resources:
        gpu=canary_gpu,
        mem_mb=canary_memory,
        runtime=60,
    params:
        settings=canary_recipe,
        columns=STUDY.canary.model.columns,
        pixels=STUDY.canary.model.pixels,
        state=f"{CANARY}/balance/.state/{{recipe}}/fold-{{fold}}",
        code=code("balance"),


use rule train as canary_train with:
    input:
        images=f"{R}/canary/shuffle-{{shuffle}}/images.parquet",
        folds=f"{CANARY}/split/folds.parquet",
        task=f"{R}/quality/task.json",
        stores=STORES,
        tables=expand(
            f"{CANARY}/balance/{{{{arm}}}}/fold-{{fold}}/table.parquet", fold=CANARY_FOLDS, allow_missing=True
        ),
        synthetic=expand(
            f"{CANARY}/balance/{{{{arm}}}}/fold-{{fold}}/synthetic.npy", fold=CANARY_FOLDS, allow_missing=True
        ),
    output:
        predictions=f"{CANARY}/train/{{arm}}/pack-0/predictions.parquet",
        history=f"{CANARY}/train/{{arm}}/pack-0/history.parquet",
        table=f"{CANARY}/train/{{arm}}/pack-0/runs.parquet",
        fits=f"{CANARY}/train/{{arm}}/pack-0/fits.json",
        models=directory(f"{CANARY}/train/{{arm}}/pack-0/models"),
    log:
        f"{R}/logs/canary/{{design}}-{{shuffle}}/train-{{arm}}.log",
    benchmark:
        f"{R}/benchmarks/canary/{{design}}-{{shuffle}}/train-{{arm}}.tsv"
    threads: CANARY_THREADS
    resources:
        gpu=CANARY_GPU,
    params:
        model=section("canary")["model"],
        augment=canary_augment,
        train=canary_train,
        runs=[f"{fold}:{STUDY.canary.seed}" for fold in CANARY_FOLDS],
        state=f"{CANARY}/train/.state/{{arm}}",
        results=canary_folder,
        code=code("train"),


use rule audit as canary_audit with:
    input:
        images=f"{R}/canary/shuffle-{{shuffle}}/images.parquet",
        task=f"{R}/quality/task.json",
        folds=f"{CANARY}/split/folds.parquet",
        dropped=f"{CANARY}/split/dropped.parquet",
        tables=canary_balanced("table.parquet"),
        fits=canary_fits,
        runs=canary_trained("runs.parquet"),
        models=canary_trained("models"),
        predictions=canary_trained("predictions.parquet"),
    output:
        findings=f"{CANARY}/audit/findings.parquet",
    log:
        f"{R}/logs/canary/{{design}}-{{shuffle}}/audit.log",
    benchmark:
        f"{R}/benchmarks/canary/{{design}}-{{shuffle}}/audit.tsv"
    params:
        results=canary_folder,
        demonstration=canary_is_naive,
        code=code("audit"),


rule canary_measure:
    input:
        images=f"{R}/quality/images.parquet",
        task=f"{R}/quality/task.json",
        shuffled=expand(f"{R}/canary/shuffle-{{shuffle}}/images.parquet", shuffle=CANARY_SHUFFLES),
        predictions=CANARY_PREDICTIONS,
        findings=CANARY_FINDINGS,
    output:
        outcome=f"{R}/canary/canary.json",
        page=f"{R}/canary/canary.html",
    log:
        f"{R}/logs/canary/measure.log",
    benchmark:
        f"{R}/benchmarks/canary/measure.tsv"
    conda:
        CPU
    params:
        settings=section("canary"),
        study=STUDY.study,
        code=code("canary"),
    script:
        "../scripts/canary_measure.py"


# The verdict has no file, so that a canary that failed fails every time it is asked.
rule canary:
    input:
        outcome=f"{R}/canary/canary.json",
        page=f"{R}/canary/canary.html",
    log:
        f"{R}/logs/canary/canary.log",
    conda:
        CPU
    params:
        code=code("canary", "verdict"),
    script:
        "../scripts/canary.py"
