"""The audit's report: the same facts as Markdown and HTML, in two languages, with nothing of the data as markup."""

import json
import re

import pytest

from annotations.__main__ import main
from annotations.audit.estimate import audit
from annotations.audit.report import EXAMPLE_LENGTH, figures, html, markdown, sections
from annotations.candidates import LABELS
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError
from vcs_demo.words import words

HOSTILE = "</script><img src=x onerror=alert(1)>|`*_[a](javascript:1)&"


def tight(text):
    """Return Markdown without the spaces that align columns."""
    return re.sub(" +", " ", text)


@pytest.fixture
def filled(store, pool):
    """Twenty candidates, fifteen of them of rank 1; of a sample of 8, six are labelled."""
    store.add_candidates(pool({("bm25", 1): 15, ("minilm", None): 5}))
    labels = ["hard", "hard", "hard", "trivial", "hard", "unsure"]
    for candidate, label in zip(audit(store, 8).sample, labels, strict=False):
        store.label(candidate.id, "lan", label, token=candidate.id)
    return store


def test_the_report_says_what_a_reader_can_check(filled):
    text = tight(markdown(audit(filled, 8, strata=["rank"])))
    assert text.startswith(
        "# Audit of mined negatives\n\n6 of the 8 sampled candidates are labelled, 1 of them"
    )
    assert "“can't judge”; the pool has 20 candidates.\n\nProvisional: 2 candidates of the sample" in text
    # Wilson: (4 + 1.92) / (6 + 3.84) = 0.602, ± 1.96 / 9.84 · √(6 · 2/3 · 1/3 + 0.96) = ± 0.302
    assert "| Hard negative | 0.667 [0.300, 0.903] | 4 / 6 |" in text
    assert "## By rank\n\n| rank | pool | sampled | labelled | Hard negative |" in text
    assert re.search(r"\| rank 1 \| 15 \| \d \| \d \| 0\.\d{3} \[", text) and "| no rank | 5 |" in text
    assert "at 95 %: 381 labelled candidates." in text and "Reached now: ± 30.2 points" in text
    assert "a tie counts as “can't judge”" in text and "## By miner" not in text


def test_a_finished_sample_is_not_provisional(store, make):
    store.add_candidates([make(1), make(2)])
    for number in (1, 2):
        store.label(make(number).id, "lan", "hard", token=str(number))
    text = tight(markdown(audit(store, 100)))
    assert "| Hard negative | 1.000 [0.342, 1.000] | 2 / 2 |" in text
    assert not any(word in text for word in ("Provisional", "By miner", "Examples"))


def test_a_part_without_a_label_has_a_dash(store, pool):
    store.add_candidates(pool({("bm25", 1): 4, ("minilm", 1): 1}))
    store.label(next(c for c in store.candidates() if c.miner == "bm25").id, "lan", "hard", token="1")
    report = audit(store, 5, strata=["miner"])
    assert "| minilm | 1 | 1 | 0 | – | – | – | – |" in tight(markdown(report))
    assert set(figures(report)) == {"shares", "miner"}


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
    escaped = r"\</script\>\<img src=x onerror=alert(1)\>|\`\*\_\[a\](javascript:1)\&"
    assert escaped in text.split("Examples")[1] and "\n# title" not in text
    row = next(line for line in text.splitlines() if line.startswith(f"| {escaped.replace('|', '¦')}"))
    assert row.count("|") == 9
    example = text.split("Candidate: ")[1].splitlines()[0]
    assert len(example) <= EXAMPLE_LENGTH + 2 and "…" in example


def test_the_page_is_whole_and_speaks_its_language(filled):
    report = audit(filled, 8, strata=["rank"])
    page = html(report, "vi", examples=1)
    assert page.startswith('<!doctype html>\n<html lang="vi">') and page.rstrip().endswith("</html>")
    assert "<h1>Kiểm tra các mẫu âm đã khai thác</h1>" in page and "Âm sai (có trả lời)" in page
    assert page.count('class="plotly-graph-div"') == 2 and "prefers-color-scheme: dark" in page
    outside = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert not re.search(r"(src|href)\s*=|https?://|@import", outside)
    assert page.count("câu hỏi: “") == len(set(report.labels.values())) == 3
    assert figures(report, "vi")["rank"].data[1].name == "Âm sai (có trả lời)"
    assert figures(report)["shares"].data[0].x[0] == pytest.approx(4 / 6)


def test_the_sections_quote_only_on_request(filled, make):
    report = audit(filled, 8)
    assert all(make(1).passage[:10] not in text for text in (markdown(report), html(report)))
    assert len(sections(report, examples=1)["examples"].notes) == len(set(report.labels.values()))
    for examples in (-1, 51):
        with pytest.raises(UserError, match="0 to 50"):
            sections(report, examples=examples)


def test_the_labels_are_called_what_the_buttons_say():
    from vcs_demo.ui.label.desk import label_name

    for label in LABELS:
        for lang in ("en", "vi"):
            assert words(lang)[f"audit_report.{label}"] == label_name(label, lang)


def test_the_command_writes_what_it_prints(own_data_dir, tmp_path, pool, capsys):
    with LabelStore(own_data_dir / "labels.db") as store:
        store.add_candidates(pool({("bm25", 1): 6, ("minilm", None): 4}))
        first = audit(store, 4).sample[0]
        store.label(first.id, "lan", "trivial", token="1")
    out = {name: tmp_path / f"audit.{name}" for name in ("markdown", "html", "json")}
    command = "audit --size 4 --strata miner --level 0.9 --precision 0.1 --lang vi"
    assert main([*command.split(), *(f"--{name}={path}" for name, path in out.items())]) == 0
    text = out["markdown"].read_text("utf-8")
    assert capsys.readouterr().out == text and "## Theo bộ khai thác" in text
    assert "khoảng tin cậy 90 %" in text and "Tạm thời: 3 ứng viên" in text
    assert "Theo bộ khai thác" in out["html"].read_text("utf-8")
    facts = json.loads(out["json"].read_text("utf-8"))
    assert (facts["candidates"], facts["labelled"], facts["strata"], facts["level"]) == (
        10,
        1,
        ["miner"],
        0.9,
    )
    assert [part["name"] for part in facts["parts"]] == ["bm25", "minilm"]
    assert facts["shares"]["trivial"]["share"] == 1
    assert {"id": first.id, "miner": first.miner, "rank": first.rank, "label": "trivial"} in facts["sample"]
    assert "query" not in out["json"].read_text("utf-8")
