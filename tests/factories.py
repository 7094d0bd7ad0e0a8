"""Candidates and rows for every test that needs some, of a few Vietnamese sentences written for this."""

from annotations.candidates import Candidate


def candidate(query: int = 1, passage: int = 1, /, **changes: object) -> Candidate:
    """Return a candidate of the query and passage with these numbers; `changes` replace its fields."""
    fields = {
        "query": f"Trẻ {query} tuổi sốt cao thì nên làm gì?",
        "positive": f"Trẻ {query} tuổi sốt trên 38,5 độ cần được hạ sốt và uống đủ nước.",
        "passage": f"Người lớn bị cúm nên nghỉ ngơi {passage} ngày.",
        "query_id": f"q{query}",
        "task": "vimedretrieve",
        "source": "mini",
        "split": "train",
        "miner": "bm25",
        "rank": passage,
        "score": 7.5 - passage / 3,
        "positive_score": 9.25,
    }
    return Candidate.create(**fields | changes)
