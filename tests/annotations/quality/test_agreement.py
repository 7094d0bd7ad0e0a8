import json
import random
import re
import warnings
from collections import Counter
from dataclasses import asdict
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotations.__main__ import main
from annotations.candidates import LABELS
from annotations.quality.agreement import agreement, alpha, label_rows
from annotations.quality.agreement_report import REASONS
from annotations.quality.coefficients import draw_queries
from annotations.store.label_store import LabelStore
from vcs_demo.errors import UserError
from vcs_demo.tables import markdown


def rows_of(table, *, per_query=1):
    """Rows of lines of labels, one character an annotator, `.` where there is none."""
    return [
        (f"q{number // per_query:03}", f"c{number:03}", f"annotator {who}", label)
        for number, line in enumerate(table)
        for who, label in enumerate(line)
        if label != "."
    ]


def spread(counts, labels):
    """A line of labels with these counts."""
    return "".join(label * count for label, count in zip(labels, counts, strict=True))


def values(estimates):
    return {name: estimate.value for name, estimate in estimates.items()}


def random_rows(candidates=60, annotators=5, seed=0, per_query=3, answered=0.6):
    generator = random.Random(seed)
    lines = []
    for _ in range(candidates):
        truth = generator.choice("abcd")
        lines.append(
            "".join(
                (truth if generator.random() < 0.6 else generator.choice("abcd"))
                if generator.random() < answered
                else "."
                for _ in range(annotators)
            )
        )
    return rows_of(lines, per_query=per_query)


# Published examples


def test_cohens_own_example():
    # Cohen 1960, table 1: 200 patients, two diagnosticians; p_o = 0.70, p_c = 0.41, κ = 0.29 / 0.59
    table = {"aa": 88, "ab": 14, "ac": 18, "ba": 10, "bb": 40, "bc": 10, "ca": 2, "cb": 6, "cc": 12}
    (pair,) = agreement(rows_of(Counter(table).elements()), labels="abc").pairs
    assert (pair.first, pair.second) == ("annotator 0", "annotator 1")
    assert pair.estimates["raw"].value == pytest.approx(0.70)
    assert pair.estimates["kappa"].value == pytest.approx(0.29 / 0.59)
    assert pair.estimates["kappa"].items == 200


@pytest.mark.parametrize(
    ("table", "kappa"),
    [  # Wikipedia, "Cohen's kappa": the simple example, and the two of the same accuracy
        ({"yy": 20, "yn": 5, "ny": 10, "nn": 15}, 0.4),
        ({"yy": 45, "yn": 15, "ny": 25, "nn": 15}, 0.1304),
        ({"yy": 25, "yn": 35, "ny": 5, "nn": 35}, 0.2593),
    ],
)
def test_cohens_kappa_of_two_by_two(table, kappa):
    (pair,) = agreement(rows_of(Counter(table).elements()), labels="yn").pairs
    assert pair.estimates["kappa"].value == pytest.approx(kappa, abs=5e-5)


def test_where_kappa_is_paradoxical_ac1_is_not():
    # 118 + 2 … of 125 alike: p = 243/250 = 0.972, chance 2 · 0.972 · 0.028 = 0.0544 against Cohen's 0.9453
    (pair,) = agreement(rows_of(Counter({"++": 118, "+-": 5, "-+": 2}).elements()), labels="+-").pairs
    assert values(pair.estimates) == {
        "raw": pytest.approx(0.944),
        "kappa": pytest.approx(-0.0234, abs=5e-5),
        "ac1": pytest.approx(0.9408, abs=5e-5),
    }


def test_fleiss_kappa_of_fourteen_raters_and_ten_subjects():
    # Wikipedia, "Fleiss' kappa": P̄ = 0.378, P̄e = 0.213, κ = 0.210
    table = "00 00 00 00 14, 00 02 06 04 02, 00 00 03 05 06, 00 03 09 02 00, 02 02 08 01 01, "
    table += "07 07 00 00 00, 03 02 06 03 00, 02 05 03 02 02, 06 05 02 01 00, 00 02 02 03 07"
    lines = [spread(map(int, line.split()), "12345") for line in table.split(", ")]
    estimates = agreement(rows_of(lines), labels="12345").overall
    assert estimates["raw"].value == pytest.approx(0.378, abs=5e-4)
    assert estimates["fleiss"].value == pytest.approx(0.210, abs=5e-4)


def test_fleiss_own_example_and_its_kappas_per_category():
    # Fleiss 1971: 30 patients, 6 psychiatrists; 1 depression, 2 personality disorder, 3 schizophrenia, 4 neurosis,
    # 5 other. κ = 0.430; per category as R's irr::kappam.fleiss(diagnoses, detail = TRUE) prints them.
    lines = """444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444
    224445 333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444 133333
    555555""".split()
    report = agreement(rows_of(lines), labels="12345")
    assert report.overall["fleiss"].value == pytest.approx(0.4302445, abs=5e-8)
    per_category = [report.by_label[label]["fleiss"].value for label in "12345"]
    assert per_category == pytest.approx([0.245, 0.245, 0.520, 0.471, 0.566], abs=5e-4)
    assert report.given == {"1": 26, "2": 26, "3": 30, "4": 55, "5": 43}


def test_krippendorffs_example_with_missing_values():
    # Krippendorff 2011, section C: 4 observers, 12 units, α = 0.743; Gwet 2014 and irrCAC (cac.raw4raters) have the
    # other three of the same data.
    raters = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
    report = agreement(rows_of(map("".join, zip(*raters, strict=True))), labels="12345")
    assert values(report.overall) == {
        "raw": pytest.approx(0.81818, abs=5e-6),
        "fleiss": pytest.approx(0.76117, abs=5e-6),
        "alpha": pytest.approx(0.74342, abs=5e-6),
        "ac1": pytest.approx(0.77544, abs=5e-6),
    }
    assert (report.candidates, report.overall["alpha"].items) == (12, 11)


# Against other implementations


def test_cohens_kappa_is_scikit_learns():
    from sklearn.metrics import cohen_kappa_score

    for seed in range(5):
        rows = random_rows(seed=seed)
        said = {who: {c: label for _, c, w, label in rows if w == who} for who in {row[2] for row in rows}}
        for pair in agreement(rows, labels="abcd", resamples=1).pairs:
            first, second = said[pair.first], said[pair.second]
            shared = sorted(first.keys() & second.keys())
            theirs = cohen_kappa_score([first[c] for c in shared], [second[c] for c in shared])
            assert pair.estimates["kappa"].value == pytest.approx(theirs)
            assert pair.estimates["kappa"].items == len(shared)


def test_alpha_is_one_minus_observed_over_expected_disagreement():
    for seed in range(5):
        rows = random_rows(seed=seed, answered=0.5)
        units = {}
        for _, candidate, _, label in rows:
            units.setdefault(candidate, []).append(label)
        units = [said for said in units.values() if len(said) > 1]
        observed = sum(sum(a != b for a, b in permutations(said, 2)) / (len(said) - 1) for said in units)
        pooled = [label for said in units for label in said]
        expected = sum(a != b for a, b in permutations(pooled, 2)) / (len(pooled) - 1)
        estimate = alpha(rows, labels="abcd", resamples=1)
        assert (estimate.value, estimate.items) == (pytest.approx(1 - observed / expected), len(units))


# Intervals


def test_intervals_are_percentiles_over_resampled_queries():
    rows = random_rows(candidates=24, annotators=4)
    of_query = {}
    for row in rows:
        of_query.setdefault(row[0], []).append(row)
    queries = sorted(of_query)
    drawn = draw_queries(len(queries), 40, 7)
    assert drawn.sum(axis=0).tolist() == [len(queries)] * 40
    samples = []
    for times in drawn.T:
        again = [
            (f"{query} {copy}", f"{candidate} {copy}", who, label)
            for query, n in zip(queries, times, strict=True)
            for copy in range(n)
            for _, candidate, who, label in of_query[query]
        ]
        samples.append(agreement(again, labels="abcd", resamples=1))
    report = agreement(rows, labels="abcd", level=0.8, seed=7, resamples=40)
    for theirs, ours in [
        ([sample.overall for sample in samples], report.overall),
        ([sample.by_label["b"] for sample in samples], report.by_label["b"]),
        *(([s.pairs[n].estimates for s in samples], pair.estimates) for n, pair in enumerate(report.pairs)),
    ]:
        for name, estimate in ours.items():
            found = [sample[name].value for sample in theirs if sample[name].value is not None]
            assert (estimate.low, estimate.high) == pytest.approx(np.quantile(found, [0.1, 0.9]))


def test_more_of_the_same_within_a_query_does_not_narrow_the_interval():
    rows = random_rows(candidates=40)
    within = [(query, f"{c} {copy}", who, label) for query, c, who, label in rows for copy in range(5)]
    beside = [(f"{query} {copy}", c, who, label) for query, c, who, label in within for copy in [c[-1]]]
    plain, same, narrow = (agreement(r, labels="abcd") for r in (rows, within, beside))
    for name in ("raw", "fleiss", "ac1"):
        one, other, third = (report.overall[name] for report in (plain, same, narrow))
        assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))
        assert third.value == pytest.approx(one.value)
        assert third.high - third.low < 0.6 * (one.high - one.low)
    assert same.pairs[0].estimates["kappa"].low == pytest.approx(plain.pairs[0].estimates["kappa"].low)


def test_the_seed_decides_and_the_order_of_rows_does_not():
    rows = random_rows()
    report = agreement(rows, labels="abcd")
    assert agreement(random.Random(1).sample(rows, len(rows)), labels="abcd") == report
    other = agreement(rows, labels="abcd", seed=1)
    assert values(other.overall) == values(report.overall) and other.overall != report.overall
    wide = agreement(rows, labels="abcd", level=0.99).overall["alpha"]
    assert wide.low < report.overall["alpha"].low < report.overall["alpha"].high < wide.high


# What is not defined


def reasons(estimates):
    return {name: (estimate.value, estimate.reason) for name, estimate in estimates.items()}


@pytest.mark.parametrize(
    ("table", "reason"),
    [([], "no_labels"), (["a", "b"], "one_annotator"), (["a.", ".b"], "nothing_shared")],
)
def test_without_shared_candidates_nothing_is_defined(table, reason):
    report = agreement(rows_of(table), labels="ab")
    assert set(reasons(report.overall).values()) == {(None, reason)}
    assert set(reasons(report.by_label["a"]).values()) == {(None, reason)}
    assert {name for pair in report.pairs for name in reasons(pair.estimates).values()} <= {(None, reason)}


def test_with_one_label_only_what_corrects_by_its_frequency_is_undefined():
    report = agreement(rows_of(["aa", "aa"]), labels="abc")
    undefined = (None, "one_label")
    expected = {"raw": (1, ""), "fleiss": undefined, "alpha": undefined, "ac1": (1, "")}
    assert reasons(report.overall) == reasons(report.by_label["a"]) == expected
    assert reasons(report.pairs[0].estimates) == {"raw": (1, ""), "kappa": undefined, "ac1": (1, "")}
    assert (report.overall["ac1"].low, report.overall["ac1"].high) == (1, 1)
    assert set(reasons(report.by_label["b"]).values()) == {(None, "never_given")}


def test_one_query_or_too_few_have_no_interval():
    one = agreement(rows_of(["ab", "aa", "bb"], per_query=3), labels="ab").overall["alpha"]
    assert (one.value, one.low, one.high, one.reason) == (pytest.approx(4 / 9), None, None, "one_query")
    rare = agreement(rows_of(["ab", *["aa"] * 20]), labels="ab").overall  # a third of the resamples has no b
    assert (rare["fleiss"].low, rare["fleiss"].reason) == (None, "unsteady")
    assert rare["fleiss"].value is not None and rare["raw"].low < rare["raw"].value < rare["raw"].high


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text("abc.", min_size=4, max_size=4), max_size=8),
    st.integers(min_value=1, max_value=4),
)
def test_every_figure_is_in_its_range_or_has_a_reason(table, per_query):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = agreement(rows_of(table, per_query=per_query), labels="abc", resamples=50)
    json.dumps(asdict(report), allow_nan=False)
    for estimates in (report.overall, *report.by_label.values(), *(pair.estimates for pair in report.pairs)):
        for name, estimate in estimates.items():
            least = {"raw": 0, "fleiss": -float("inf")}.get(name, -1)
            figures = [estimate.value, estimate.low, estimate.high]
            assert all(f is None or least - 1e-9 <= f <= 1 + 1e-9 for f in figures)
            assert (estimate.reason in REASONS) == (None in figures) == bool(estimate.reason)
            assert (estimate.low is None) == (estimate.high is None)
            assert estimate.low is None or estimate.low <= estimate.high
    assert markdown(report.tables())
    assert alpha(rows_of(table, per_query=per_query), labels="abc", resamples=50) == report.overall["alpha"]


# What is asked and what is given


def test_unsure_is_a_label_or_no_answer():
    rows = [("q1", "c1", "an", "hard"), ("q1", "c1", "ba", "unsure"), ("q2", "c2", "an", "trivial")]
    rows += [("q2", "c2", "ba", "trivial"), ("q3", "c3", "an", "hard"), ("q3", "c3", "ba", "hard")]
    counted, left_out = agreement(rows), agreement(rows, unsure=False)
    assert (counted.overall["raw"].value, counted.overall["raw"].items) == (pytest.approx(2 / 3), 3)
    assert (left_out.overall["raw"].value, left_out.overall["raw"].items) == (1, 2)
    assert counted.given == {"hard": 3, "false_negative": 0, "trivial": 2, "unsure": 1}
    assert left_out.given == {"hard": 3, "false_negative": 0, "trivial": 2}
    # AC1's K is what is on offer: π = (1/2, 1/3, 0, 1/6), chance (1/4 + 2/9 + 5/36) / 3 = 11/54
    assert counted.overall["ac1"].value == pytest.approx((2 / 3 - 11 / 54) / (1 - 11 / 54))


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([("q", "c", "an", "good")], {}, "'good' is not a label"),
        ([("q", "c", "an", "hard"), ("q", "c", "an", "trivial")], {}, "two labels of annotator 'an'"),
        ([("q", "c", "an", "hard"), ("r", "c", "ba", "hard")], {}, "'c' has two queries"),
        ([], {"level": 1.0}, "level (1.0)"),
        ([], {"level": float("nan")}, "level (nan)"),
        ([], {"seed": -1}, "seed (-1)"),
        ([], {"resamples": 0}, "resamples (0)"),
        ([], {"labels": ["hard", "unsure"], "unsure": False}, "labels (hard)"),
    ],
)
def test_nonsense_is_refused(rows, options, message):
    with pytest.raises(UserError, match=re.escape(message)):
        agreement(rows, **options)


# The store and the command


@pytest.fixture
def judged(store, make):
    judge(store, make)
    return store


def judge(store, make):
    """Three annotators: Lan and Minh share two candidates, Hoa passes."""
    one, two, elsewhere = make(1), make(2), make(1, 3, source="hub")
    store.add_candidates([one, two, elsewhere])
    for number, (candidate, who, label) in enumerate(
        [(one, "lan", "trivial"), (one, "lan", "hard"), (one, "minh", "hard"), (two, "lan", "hard")]
        + [(two, "minh", "trivial"), (elsewhere, "minh", "unsure"), (elsewhere, "lan", "hard")]
    ):
        store.label(candidate.id, who, label, token=f"{9 - number}")
    store.undo("lan", token="undo")
    store.skip(one.id, "hoa", token="0")


def test_rows_are_the_standing_labels_with_their_query(judged):
    rows = label_rows(judged, names=True)
    assert Counter((who, label) for _, _, who, label in rows) == {
        ("lan", "hard"): 2,
        ("minh", "hard"): 1,
        ("minh", "trivial"): 1,
        ("minh", "unsure"): 1,
    }
    assert {row[0] for row in rows} == {
        json.dumps(["vimedretrieve", source, query], separators=(",", ":"))
        for source, query in (("mini", "q1"), ("mini", "q2"), ("hub", "q1"))
    }


def test_annotators_are_numbered_by_their_first_token(judged):
    assert {row[2] for row in label_rows(judged)} == {"A2", "A3"}  # "0" is Hoa's, "7" Minh's, "9" Lan's
    named, numbered = label_rows(judged, names=True), label_rows(judged)
    assert {(a[2], b[2]) for a, b in zip(named, numbered, strict=True)} == {("minh", "A2"), ("lan", "A3")}


def test_the_command_names_nobody_unless_asked(own_data_dir, tmp_path, make, capsys):
    with LabelStore(own_data_dir / "labels.db") as opened:
        judge(opened, make)
    assert main(["agreement", "--json", str(tmp_path / "a.json"), "--level", "0.9", "--seed", "3"]) == 0
    said = capsys.readouterr().out
    assert "5 labels by 2 annotators on 3 candidates of 3 queries; 2 candidates have two labels" in said
    assert "90 % bootstrap intervals over queries, 1000 resamples, seed 3." in said
    assert "`unsure` counts as a label." in said
    table = re.sub(" +", " ", said)
    assert "| label | given | raw agreement | Fleiss' κ | Krippendorff's α | Gwet's AC1 |" in table
    assert (
        "| A2, A3 | 2 | 0.500 [0.000, 1.000] | 0.000 (undefined in over 5 % of the resamples: no interval) |"
        in table
    )
    written = (tmp_path / "a.json").read_text("utf-8")
    assert json.loads(written)["pairs"][0]["first"] == "A2" and json.loads(written)["seed"] == 3
    assert "lan" not in said + written and "minh" not in said + written
    assert main(["agreement", "--names", "--without-unsure"]) == 0
    said = capsys.readouterr().out
    assert "| lan, minh " in said and "counts as no answer" in said and "| unsure " not in said


def test_the_command_speaks_of_an_empty_store_and_refuses_nonsense(own_data_dir, capsys):
    LabelStore(own_data_dir / "labels.db").close()
    assert main(["agreement"]) == 0
    said = capsys.readouterr().out
    assert "– (no labels yet)" in said and "| annotators " not in said
    for arguments, code, message in (
        (["--level", "95"], 2, "95.0 is not in the range"),
        (["--json", "/proc/x/a"], 1, "/proc/x/a"),
    ):
        assert main(["agreement", *arguments]) == code
        said = capsys.readouterr()
        assert message in said.err and said.err.count("\n") == 1 and said.out == ""


def test_the_table_survives_strange_names():
    rows = [(query, query, who, "hard") for query in "qr" for who in ("a|b", "c\nd")]
    text = re.sub(" +", " ", markdown(agreement(rows).tables()))
    assert "| a¦b, c d | 2 | 1.000 [1.000, 1.000] | – (only one label was used) |" in text
    assert set(agreement(rows).given) == set(LABELS)
