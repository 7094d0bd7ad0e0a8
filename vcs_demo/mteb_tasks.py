"""VCS as MTEB tasks, so that whatever MTEB can load can run on VCS. Needs `pip install mteb`.

    import mteb
    from vcs_demo.mteb_tasks import vcs_tasks

    mteb.evaluate(mteb.get_model("intfloat/multilingual-e5-small"), vcs_tasks("hub"), cache=None)

Queries, passages and judgements are those of `load_task`; `hit_rate_at_k` is the paper's Accuracy@k, `map_at_1000` its
mAP. MTEB breaks ties by id and leaves no query out that a model was trained on; `python -m vcs_demo evaluate` does.
"""

from typing import Any

from datasets import Dataset
from mteb import TaskMetadata
from mteb.abstasks import AbsTaskRetrieval

from vcs_demo.benchmark.tasks import DATASETS, MAIN_TASKS, TASK_NAMES, RerankingTask, load_task

_CITATION = """@inproceedings{vcs2024,
    title = {Advancing Vietnamese Information Retrieval with Learning Objective and Benchmark},
    booktitle = {Proceedings of PACLIC 38},
    year = {2024},
    url = {https://arxiv.org/abs/2503.07470},
}"""


class _VCSTask(AbsTaskRetrieval):
    task_name: str

    def __init__(self, source: str = "hub", **settings: Any) -> None:
        self.source = source
        super().__init__(**settings)

    def load_data(self, *_: Any, **__: Any) -> None:
        """Fill `dataset` from the source; raises UserError where it cannot be read."""
        if self.data_loaded:
            return
        task = load_task(self.task_name, self.source, "test")
        candidates = task.candidates if isinstance(task, RerankingTask) else None
        content = {
            "corpus": _dataset(task.passages),
            "queries": _dataset(task.queries),
            "relevant_docs": {query: dict.fromkeys(ids, 1) for query, ids in task.qrels.items()},
            "top_ranked": candidates and {query: list(ids) for query, ids in candidates.items()},
        }
        self.dataset = {"default": {"test": content}}
        self.data_loaded = True


def _dataset(texts: dict[str, str]) -> Dataset:
    return Dataset.from_dict({"id": list(texts), "text": list(texts.values())})


def _task_class(name: str) -> type[_VCSTask]:
    reranking = not name.startswith("vimedretrieve")
    title = "VCS" + "".join(part.capitalize() for part in name.replace("/", "-").split("-"))
    metadata = TaskMetadata(
        name=title,
        description=f"Vietnamese Context Search, {name}: "
        + ("order a group's candidates" if reranking else "find the windows of the context that answers"),
        reference="https://arxiv.org/abs/2503.07470",
        dataset={"path": DATASETS[name.partition("/")[0]], "revision": "main"},
        type="Reranking" if reranking else "Retrieval",
        category="t2t",
        modalities=["text"],
        eval_splits=["test"],
        eval_langs=["vie-Latn"],
        main_score="map_at_1000" if reranking else "hit_rate_at_20",
        bibtex_citation=_CITATION,
    )
    return type(title, (_VCSTask,), {"metadata": metadata, "task_name": name})


TASKS = {name: _task_class(name) for name in TASK_NAMES}


def vcs_tasks(source: str = "hub", names: tuple[str, ...] = MAIN_TASKS) -> list[AbsTaskRetrieval]:
    """Return VCS tasks for `mteb.evaluate`, read from `mini`, `hub` or a folder."""
    return [TASKS[name](source) for name in names]
