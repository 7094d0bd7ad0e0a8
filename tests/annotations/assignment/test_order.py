from collections import Counter

from annotations.store.label_store import LabelStore


def due(store, annotator, only=None):
    """Lend the annotator a candidate; return it."""
    lease = store.claim(annotator, only=only)
    return lease and lease.candidate


def walk(store: LabelStore, annotator: str, most: int = 100) -> list:
    """Label all that is offered as unsure; return it in order."""
    seen = []
    while len(seen) < most and (candidate := due(store, annotator)):
        store.label(candidate.id, annotator, "unsure", token=f"{annotator} {len(store.events())}")
        seen.append(candidate)
    return seen


def test_every_candidate_comes_once_query_by_query(store, make):
    store.add_candidates([make(q, p) for p in range(3) for q in range(4)])
    seen = [c.query_id for c in walk(store, "lan")]
    assert len(seen) == 12
    assert [seen[i : i + 3] for i in range(0, 12, 3)] == [[q] * 3 for q in dict.fromkeys(seen)]
    assert due(store, "lan") is None
    assert store.progress("lan") == {
        "candidates": 12,
        "queries": 4,
        "labelled": 12,
        "labels": 12,
        "annotators": 1,
        "answered": 12,
        "skipped": 0,
        "left": 0,
    }


def test_annotators_begin_where_others_have_not_been(store, make):
    store.add_candidates([make(q, p) for q in range(6) for p in range(2)])
    for annotator in ("lan", "mai", "nam"):
        walk(store, annotator, most=4)
    assert Counter(item.annotators for item in store.labelled()) == {1: 12}


def test_annotators_begin_at_places_of_their_own(store, make):
    store.add_candidates([make(q) for q in range(50)])
    names = [f"người {number}" for number in range(10)]
    assert len({due(store, name).query_id for name in names}) > 5


def test_orders_differ_between_annotators_and_are_repeatable(make):
    def order(annotator):
        with LabelStore(":memory:") as store:
            store.add_candidates([make(q, p) for q in range(5) for p in range(4)])
            return [c.id for c in walk(store, annotator)]

    assert order("lan") == order("lan")
    assert order("lan") != order("mai")
    assert sorted(order("lan")) == sorted(order("mai"))


def test_the_order_within_a_query_does_not_follow_the_rank(store, make):
    store.add_candidates([make(1, p) for p in range(8)])
    ranks = [c.rank for c in walk(store, "lan")]
    assert ranks != sorted(ranks) and ranks != sorted(ranks, reverse=True)


def test_skipped_ones_come_again_once_when_the_rest_is_done(store, make):
    store.add_candidates([make(1, 1), make(1, 2), make(2, 1)])
    skipped = due(store, "lan")
    store.skip(skipped.id, "lan", token="skip 1")
    assert skipped not in walk(store, "lan", most=2)
    assert store.progress("lan")["left"] == 1
    assert due(store, "lan") == skipped
    store.skip(skipped.id, "lan", token="skip 2")
    assert due(store, "lan") is None
    assert store.progress("lan")["left"] == 0
    assert store.undo("lan") == skipped == due(store, "lan")


def test_a_sample_narrows(store, make):
    all_ids = [make(1, p).id for p in range(4)]
    store.add_candidates([make(1, p) for p in range(4)])
    assert due(store, "lan", only=all_ids[2:3]).id == all_ids[2]
    assert due(store, "lan", only=[]) is None
