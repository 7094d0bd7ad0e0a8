"""Compare embedding models on the Vietnamese Context Search benchmark (VCS).

    from vcs_demo.benchmark.tasks import load_task
    from vcs_demo.measuring.evaluate import evaluate
    from vcs_demo.rankers.catalog import load_ranker

    run = evaluate(load_task("vimedretrieve"), load_ranker("bm25"))
    run.metrics["accuracy@1"], run.intervals["accuracy@1"]  # 0.631, (0.560, 0.702)

`measuring.comparison.compare` puts runs side by side, and `library.Library` the answers to one query.
"""
