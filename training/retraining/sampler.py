"""Batches for in-batch negatives: no query twice in one, and all of nearly one size."""

import math
from collections.abc import Iterator

import torch
from sentence_transformers.base.sampler import DefaultBatchSampler

from vcs_demo.text import content_hash


class DistinctQueries(DefaultBatchSampler):
    """Deal the rows out to the batches like cards, the rows of one query one after the other.

    So a query meets itself in no batch (unless it has more rows than there are batches), no batch is a small rest
    that hardly has a negative, and the number of batches is known beforehand and the same in every epoch. The
    library's NO_DUPLICATES promises ⌈rows / batch size⌉ batches but makes more where a query has several rows,
    and the trainer then never sees the rest of them.

    Args (the trainer's): the dataset, with a column `anchor`; batch_size, drop_last, generator, seed.
    """

    def __init__(self, dataset: "datasets.Dataset", batch_size: int, drop_last: bool, **more: object) -> None:  # noqa: F821
        super().__init__(dataset, batch_size=batch_size, drop_last=drop_last, **more)
        groups: dict[str, list[int]] = {}
        for row, query in enumerate(dataset["anchor"]):
            groups.setdefault(content_hash(query), []).append(row)
        self._groups = list(groups.values())
        self._rows = len(dataset)

    def __len__(self) -> int:
        """Return the number of batches: as few as the batch size allows."""
        return math.ceil(self._rows / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield row numbers, batch by batch, in an order drawn by seed and epoch."""
        generator = torch.Generator().manual_seed(self.seed + self.epoch)

        def shuffled(items: list) -> list:
            return [items[i] for i in torch.randperm(len(items), generator=generator).tolist()]

        dealt = [row for group in shuffled(self._groups) for row in shuffled(group)]
        count = len(self)
        yield from shuffled([dealt[start::count] for start in range(count)])
