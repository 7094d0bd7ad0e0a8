"""The audit's report: the same facts as Markdown and HTML, in two languages, with nothing of the data as markup."""

import json
import re
import string
import unicodedata

import pytest

from annotations.__main__ import main
from annotations.audit.estimate import BadAuditRequest, audit
from annotations.audit.report import figures, html, markdown
from annotations.audit.sections import EXAMPLE_LENGTH, sections
from annotations.audit.words import WORDS
from annotations.candidates import LABELS
from annotations.store.label_store import LabelStore

HOSTILE = "</script><img src=x onerror=alert(1)>|`*_[a](javascript:1)&"


@pytest.fixture
def filled(store, pool):
    """Twenty candidates of two strata; of a sample of 4 and 4, six are labelled."""
    candidates = pool({("bm25", 1): 15, ("minilm", None): 5})
    store.add_candidates(candidates)
    sample = audit(store, 8, strata=["rank"], allocation="equal").sample
    of = {name: [c for c in sample if c.miner == name] for name in ("bm25", "minilm")}
    for candidate, label in zip(of["bm25"], ["hard", "hard", "hard", "trivial"], strict=True):
        store.label(candidate.id, "lan", label, token=candidate.id)
    for candidate, label in zip(of["minilm"], ["hard", "unsure"], strict=False):
        store.label(candidate.id, "lan", label, token=candidate.id)
    return store


def test_the_report_says_what_a_reader_can_check(filled):
    text = markdown(audit(filled, 8, strata=["rank"], allocation="equal"))
    assert text.startswith(
        "# Audit of mined negatives\n\n## Shares\n\n6 of the 8 sampled candidates are labelled, "
    )
    assert "1 of them “can't judge”; the pool has 20 candidates." in text
    # 0.75 · 3/4 + 0.25 · 1/2 = 68.75 %; open: 1 unsure and 2 without a label, all in the second stratum of 4
    assert re.search(r"\| Hard negative \| 68\.8% \| .* \| 4 / 6 \| 62\.5% – 81\.2% \|", text)
    assert re.search(r"\| rank 1 \| 15 \| 75\.0% \| 4 \| 4 \| 75\.0% \(30\.1% – 95\.4%\) \|", text)
    assert "| no rank | 5 | 25.0% | 4 | 2 | 50.0%" in text
    assert "The sample is not finished: 2 candidates" in text
    assert "381 labelled candidates out of a large pool" in text and "20 of these 20" in text
    assert "a tie counts as “can't judge”" in text and "Franco, Little, Louis and Slud 2019" in text
    assert "needs about 1.2 times as many" in text  # 8 · (0.75² / 4 + 0.25² / 4) = 1.25


def test_a_finished_plain_sample_has_no_word_of_strata_or_bounds(store, make):
    store.add_candidates([make(1), make(2)])
    for number in (1, 2):
        store.label(make(number).id, "lan", "hard", token=str(number))
    text = markdown(audit(store, 100))
    assert "| Hard negative | 100.0% | 34.2% – 100.0% | 2 / 2 |" in text
    for word in ("possible range", "stratum", "weighted", "not finished", "Examples"):
        assert word not in text
    assert "no finite population correction" in text
    assert "speak of this pool alone" in markdown(audit(store, 100, finite=True))


def test_a_stratum_without_a_label_is_named(filled):
    report = audit(filled, 20, strata=["miner", "rank"], seed=1)
    assert not report.unanswered
    with LabelStore(":memory:") as store:
        store.add_candidates(filled.candidates())
        bm25 = next(c for c in store.candidates() if c.miner == "bm25")
        store.label(bm25.id, "lan", "hard", token="1")
        text = markdown(audit(store, 20, strata=["miner", "rank"]))
        assert "nothing is labelled yet of “minilm, no rank”" in text and "| Hard negative | – | – |" in text
        assert "Reached now" not in text
        assert set(figures(audit(store, 20, strata=["miner"]))) == {"strata"}


def test_nothing_at_all_is_a_report_too(store):
    for strata in ((), ("miner", "rank")):
        report = audit(store, 10, strata=strata)
        assert "0 of the 0 sampled" in markdown(report) and figures(report) == {}
        assert "<script>" not in html(report)


def test_no_text_of_the_data_is_markup(make):
    with LabelStore(":memory:") as store:
        hostile = make(1, miner=HOSTILE, query=f"{HOSTILE} {{{{7*7}}}}\u202e\n# title", passage="dài " * 400)
        store.add_candidates([hostile, make(2)])
        store.label(hostile.id, "lan", "hard", token="1")
        report = audit(store, 2, strata=["miner"])
        page, text = html(report, examples=3), markdown(report, examples=3)
    assert "<img" not in page and "{{7*7}}" in page and "49" not in text.split("Examples")[1]
    assert page.count("</script>") == page.count("<script") and "\u202e" not in page + text
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    escaped = r"\</script\>\<img src=x onerror=alert(1)\>\|\`\*\_\[a\](javascript:1)\&"
    assert text.count(escaped) == 2 and "\n# title" not in text
    row = next(line for line in text.splitlines() if line.startswith(f"| {escaped}"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 10
    example = text.split("Candidate: ")[1].splitlines()[0]
    assert len(example) <= EXAMPLE_LENGTH + 2 and "…" in example


def test_the_page_is_whole_and_speaks_its_language(filled):
    report = audit(filled, 8, strata=["rank"], allocation="equal")
    page = html(report, "vi", examples=1)
    assert page.startswith('<!doctype html>\n<html lang="vi">') and page.rstrip().endswith("</html>")
    assert "<h1>Kiểm tra các mẫu âm đã khai thác</h1>" in page and "Âm sai (có trả lời)" in page
    assert page.count('class="plotly-graph-div"') == 2 and "prefers-color-scheme: dark" in page
    outside = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert not re.search(r"(src|href)\s*=|https?://|@import", outside)
    assert page.count("<li>") == len(set(report.labels.values())) == 3
    assert figures(report, "vi")["strata"].data[1].name == "Âm sai (có trả lời)"
    assert figures(report)["shares"].data[0].x[0] == pytest.approx(0.6875)


def test_the_sections_quote_only_on_request(filled, make):
    report = audit(filled, 8)
    assert all(make(1).passage[:10] not in text for text in (markdown(report), html(report)))
    assert len(sections(report, examples=1)[-1].items) == len(set(report.labels.values()))
    for examples in (-1, 51):
        with pytest.raises(BadAuditRequest, match="0 to 50"):
            sections(report, examples=examples)


@pytest.mark.parametrize("key", WORDS)
def test_every_word_is_there_in_both_languages(key):
    english, vietnamese = WORDS[key]
    named = [
        sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)
        for text in (english, vietnamese)
    ]
    assert english.strip() and english != vietnamese and named[0] == named[1]
    assert unicodedata.is_normalized("NFC", vietnamese)


def test_the_labels_are_called_what_the_buttons_say():
    from vcs_demo.ui.label.desk import label_name

    for label in LABELS:
        assert WORDS[label] == (label_name(label, "en"), label_name(label, "vi"))


def test_the_command_writes_what_it_prints(own_data_dir, tmp_path, pool, capsys):
    with LabelStore(own_data_dir / "labels.db") as store:
        store.add_candidates(pool({("bm25", 1): 6, ("minilm", None): 4}))
        first = audit(store, 4, strata=["miner"], allocation="equal").sample[0]
        store.label(first.id, "lan", "trivial", token="1")
    out = {name: tmp_path / f"audit.{name}" for name in ("markdown", "html", "json")}
    command = "audit --size 4 --by-miner --allocation equal --level 0.9 --precision 0.1 --lang vi --finite"
    assert main([*command.split(), *(f"--{name}={path}" for name, path in out.items())]) == 0
    text = out["markdown"].read_text("utf-8")
    assert (
        capsys.readouterr().out == text and "## Theo bộ khai thác" in text and "khoảng tin cậy 90 %" in text
    )
    assert "Theo bộ khai thác" in out["html"].read_text("utf-8")
    figures = json.loads(out["json"].read_text("utf-8"))
    assert (figures["candidates"], figures["labelled"], figures["open"]) == (10, 1, 3)
    assert figures["strata"] == ["miner"] and figures["allocation"] == "equal" and figures["level"] == 0.9
    assert [part["stratum"] for part in figures["parts"]] == [["bm25"], ["minilm"]]
    assert figures["shares"]["hard"]["share"] is None
    assert {"id": first.id, "miner": first.miner, "rank": first.rank, "label": "trivial"} in figures["sample"]
    assert "query" not in out["json"].read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--strata topic", "no strata 'topic'; give miner, rank or miner,rank"),
        ("--allocation optimal", "no allocation 'optimal'; give proportional or equal"),
        ("--size 0", "A sample of 0 is none"),
        ("--level 1", "level (1.0)"),
        ("--examples 1000", "ask for 0 to 50"),
    ],
)
def test_the_command_refuses_what_is_out_of_range(own_data_dir, arguments, message, capsys):
    LabelStore(own_data_dir / "labels.db").close()
    assert main(["audit", *arguments.split()]) == 1
    said = capsys.readouterr()
    assert message in said.err and said.err.count("\n") == 1 and said.out == ""
