"""The API, asked by gradio_client as another program would."""

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

QUERY = "Ba dấu hiệu dễ nhớ của đột quỵ não là gì?"


@pytest.fixture(scope="module")
def client(app):
    return Client(app.url, verbose=False)


def test_only_the_three_names_are_offered(client):
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {
        "/search",
        "/rerank",
        "/leaderboard",
    }


def test_search_gives_rankings_with_gold(client):
    rankings = client.predict(QUERY, ["bm25", "minilm"], k=5, api_name="/search")
    assert [ranking["ranker"] for ranking in rankings] == ["bm25", "minilm"]
    assert [len(ranking["hits"]) for ranking in rankings] == [5, 5]
    assert any(hit["relevant"] for hit in rankings[0]["hits"])


def test_the_defaults_are_enough(client):
    assert len(client.predict(QUERY, api_name="/search")) == 2
    rows = client.predict(api_name="/leaderboard")
    assert {"reported"} <= {row["kind"] for row in rows} <= {"measured", "reported"}


def test_rerank_gives_average_precision_where_marked(client):
    asked = {"query": "Trẻ sốt cao nên làm gì?", "passages": ["trẻ sốt cao", "gan"], "rankers": ["bm25"]}
    (ranking,) = client.predict(**asked, relevant=[1], api_name="/rerank")
    assert ranking["average_precision"] == 1.0
    (ranking,) = client.predict(**asked, api_name="/rerank")
    assert ranking["average_precision"] is None


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("/search", {"query": ""}, "empty"),
        ("/search", {"query": "đ" * 1_001}, "1,001"),
        ("/search", {"query": QUERY, "k": 101}, "101"),
        ("/search", {"query": QUERY, "rankers": ["../../etc"]}, "There is no ranker"),
        ("/search", {"query": QUERY, "task": "no-such"}, "no-such"),
        ("/rerank", {"query": QUERY, "passages": ["x"] * 51}, "51 candidates"),
        ("/leaderboard", {"task": "no-such"}, "There is no such task"),
    ],
)
def test_bad_input_gives_one_sentence(client, name, arguments, says):
    with pytest.raises(AppError) as error:
        client.predict(**arguments, api_name=name)
    message = str(error.value).strip()
    assert says in message and "\n" not in message and "Traceback" not in message
