"""The hub's models that the catalog names, each used as its authors recommend; `hub_models.toml` lists them."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from vcs_demo.rankers.dense import Usage
from vcs_demo.rankers.hub import HubModel


@dataclass(frozen=True)
class HubRow:
    """A model of the hub: a line about it, its licence, and how it is fetched and used."""

    about: str
    licence: str
    model: HubModel


def _row(
    about: str,
    licence: str,
    repository: str,
    revision: str = "main",
    reranker: bool = False,
    prompts: list[str] | None = None,
    **usage: bool | str | int,
) -> HubRow:
    pair = None if prompts is None else (prompts[0], prompts[1])
    return HubRow(about, licence, HubModel(repository, revision, Usage(pair, **usage), reranker))


HUB = {
    name: _row(**row)
    for name, row in tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8")).items()
}
