"""The hub's models that the catalog names, each used as its authors recommend."""

from dataclasses import dataclass

from vcs_demo.rankers.dense import Usage
from vcs_demo.rankers.hub import HubModel


@dataclass(frozen=True)
class HubRow:
    """A model of the hub: a line about it, its licence, and how it is fetched and used."""

    about: str
    licence: str
    model: HubModel


_PHOBERT = Usage(segmented=True, max_length=256)  # its 258 positions hold 256 tokens, whatever a card says

# What the field uses, the way each one's authors use it. Fetched by commands on request.
# Names of data sets are what a model's card says it was trained on, where that touches VCS.
HUB: dict[str, HubRow] = {
    "vietnamese-sbert": HubRow(
        "135 M parameters, PhoBERT, on texts that are not segmented, as its card's example",
        "not stated",
        HubModel(
            "keepitreal/vietnamese-sbert", "a9467ef2ef47caa6448edeabfd8e5e5ce0fa2a23", Usage(max_length=256)
        ),
    ),
    "bkai-bi-encoder": HubRow(
        "bkai vietnamese-bi-encoder, 135 M, PhoBERT v2; trained on MS MARCO, SQuAD (QNLI-R's source), Zalo Legal",
        "Apache 2.0",
        HubModel(
            "bkai-foundation-models/vietnamese-bi-encoder",
            "84f9d9ada0d1a3c37557398b9ae9fcedcdf40be0",
            _PHOBERT,
        ),
    ),
    "sup-simcse-phobert": HubRow(
        "sup-SimCSE-VietNamese-phobert-base, 135 M; the first token's vector, before any pooler",
        "not stated",
        HubModel(
            "VoVanPhuc/sup-SimCSE-VietNamese-phobert-base",
            "608779b86741a8acd8c8d38132974ff04086b138",
            Usage(segmented=True, max_length=256, pooling="cls"),
        ),
    ),
    "dangvantuan-embedding": HubRow(
        "dangvantuan vietnamese-embedding, 135 M, PhoBERT; trained on ViNLI (ViRerank's source), XNLI (MNLI-R's), STS",
        "Apache 2.0",
        HubModel("dangvantuan/vietnamese-embedding", "4ab46e46ba5902328ba0742e489e75f787932f2b", _PHOBERT),
    ),
    "multilingual-e5-small": HubRow(
        "118 M parameters, 384 dimensions",
        "MIT",
        HubModel(
            "intfloat/multilingual-e5-small",
            "614241f622f53c4eeff9890bdc4f31cfecc418b3",
            Usage(prompts=("query: ", "passage: ")),
        ),
    ),
    "bge-m3": HubRow(
        "568 M parameters, 1,024 dimensions; its dense vectors alone",
        "MIT",
        HubModel("BAAI/bge-m3", "5617a9f61b028005a4858fdac845db406aefb181"),
    ),
    "aiteamvn-embedding": HubRow(
        "AITeamVN Vietnamese_Embedding, 568 M, from bge-m3; trained on pairs that are not named",
        "Apache 2.0",
        HubModel(
            "AITeamVN/Vietnamese_Embedding",
            "dea33aa1ab339f38d66ae0a40e6c40e0a9249568",
            Usage(max_length=2048),
        ),
    ),
    "paper-in-batch": HubRow(
        "the paper's 20 M model, in-batch, τ = 0.1, by the name in its code; not known to be public",
        "not stated",
        HubModel(
            "ContextSearchLM/vinilm_dropinfonce_constrast_temp01_v02",
            usage=Usage(prompts=("<|query|> ", ""), pooling="mean", max_length=224),
        ),
    ),
    "paper-hard": HubRow(
        "the paper's 20 M model, hard negatives, by the name in its code; not known to be public",
        "not stated",
        HubModel(
            "ContextSearchLM/vinilm_dropinfonce_triplet",
            usage=Usage(prompts=("<|query|> ", ""), pooling="mean", max_length=224),
        ),
    ),
    "bge-reranker-v2-m3": HubRow(
        "reranker of BM25's first 100, 568 M parameters",
        "Apache 2.0",
        HubModel(
            "BAAI/bge-reranker-v2-m3",
            "953dc6f6f85a1b2dbfca4c34a2796e7dde08d41e",
            Usage(max_length=512),
            reranker=True,
        ),
    ),
    "aiteamvn-reranker": HubRow(
        "AITeamVN Vietnamese_Reranker of BM25's first 100, 568 M, from bge-reranker-v2-m3",
        "Apache 2.0",
        HubModel(
            "AITeamVN/Vietnamese_Reranker",
            "f536976248403314225d7fdfdbc87f0e9516a54e",
            Usage(max_length=2304),
            reranker=True,
        ),
    ),
    "phoranker": HubRow(
        "PhoRanker of BM25's first 100, 135 M, PhoBERT; trained on mMARCO",
        "Apache 2.0",
        HubModel("itdainb/PhoRanker", "cb3e1f155e71896fb7f6f1e0efbdab0e83e88f10", _PHOBERT, reranker=True),
    ),
    "viranker": HubRow(
        "ViRanker of BM25's first 100, 568 M, from bge-m3",
        "Apache 2.0",
        HubModel(
            "namdp-ptit/ViRanker",
            "8968c80fb0d7fd438819bfc77c5567a73666e920",
            Usage(max_length=512),
            reranker=True,
        ),
    ),
}
