"""The card of a model is text: names from outside are neither markup nor links in it."""

from training.retraining.card import _as_text


def test_names_from_outside_are_text():
    hostile = (
        "x<script>alert(1)</script>\n# title [a](javascript:alert(1)) `code` & ![i](http://evil.example)"
    )
    text = _as_text({"name": hostile, "sources": [hostile], "n": 1})
    for shown in (text["name"], text["sources"][0]):
        assert "<" not in shown and "\n" not in shown and "](" not in shown and "`" not in shown
    assert text["n"] == 1 and _as_text("vcs-20m, mini/train [0.4, 0.6]") == "vcs-20m, mini/train [0.4, 0.6]"
