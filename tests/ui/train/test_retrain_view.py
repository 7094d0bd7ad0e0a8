"""The Train tab: which settings a training gets, and how its end is told."""

import json
import signal
import subprocess
import sys

import pytest

from annotations.quality.agreement_report import REASONS
from training.retraining.gains import SHOWN
from training.retraining.labels import MIN_ALPHA, MIN_COVERAGE
from training.retraining.settings import RetrainSettings
from vcs_demo.errors import UserError
from vcs_demo.paths import models_dir
from vcs_demo.ui.train.retrain import as_command, asked, bases
from vcs_demo.ui.train.trainer import Trainer
from vcs_demo.ui.train.verdict import allow, state, summary
from vcs_demo.words import explain, words


@pytest.fixture
def ask(library, tmp_path):
    def ask(**changes):
        settings = {
            "name": "của-tôi_2.1",
            "base": "minilm",
            "loss": "modified",
            "negatives": "both",
            "temperature": 0.05,
            "epochs": 0.5,
            "pairs": False,
        }
        return asked(library, tmp_path / "labels.db", **settings | changes)

    return ask


def test_the_fields_become_settings(ask, tmp_path):
    options = ask()
    assert (options.labels, options.base) == (tmp_path / "labels.db", "minilm")
    assert options.output == models_dir() / "của-tôi_2.1"
    assert (options.loss, options.negatives) == ("modified", "both")
    assert (options.temperature, options.epochs) == (0.05, 0.5)
    assert (options.source, options.pairs, options.overwrite) == ("mini", None, False)
    options = ask(loss="infonce", negatives="hard", pairs=True, temperature=1, epochs=20)
    assert (options.loss, options.negatives, options.pairs) == ("infonce", "hard", "mini")
    assert (options.temperature, options.epochs) == (1, 20)


def test_the_command_can_be_typed_in_the_repository(ask):
    command = (
        "python training/retrain.py --labels data/labels.db --base minilm --output data/models/của-tôi_2.1"
    )
    command = command.replace("data/models/của-tôi_2.1", "'data/models/của-tôi_2.1'")
    command += " --loss modified --negatives both --temperature 0.05 --epochs 0.5 --source mini"
    assert as_command(ask()) == command
    assert (
        as_command(ask(pairs=True, restart=True, anyway=True)) == f"{command} --pairs mini --restart --anyway"
    )


def test_a_name_is_taken_without_the_spaces_around_it(ask):
    assert ask(name="  mine ").output.name == "mine"


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/b",
        "a\\b",
        "",
        " ",
        None,
        ".",
        "..",
        ".hidden",
        "x.partial",
        "bm25",
        "minilm",
        "vcs-20m",
        "a+b",
    ]
    + ["a b", "a\nb", "a\x00b", "x" * 61, "/tmp/x", "$(id)", "<b>"],
)
def test_a_bad_name_is_refused_with_one_sentence(ask, name, sentence):
    with pytest.raises(UserError) as error:
        ask(name=name)
    assert sentence(error.value, "cannot be a model's name")


def test_a_name_that_is_taken_is_refused(ask, tiny, sentence):
    with pytest.raises(UserError) as error:
        ask(name=tiny)
    assert sentence(error.value, "'tiny'", "another name")


@pytest.mark.parametrize("base", ["bm25", "no-such", "../..", "/etc", None])
def test_a_base_that_is_not_in_the_list_is_refused(ask, base, sentence):
    with pytest.raises(UserError) as error:
        ask(base=base)
    assert sentence(error.value, "minilm")


def test_retrained_models_can_be_trained_further(ask, tiny):
    assert bases() == ["vcs-20m", "vcs-static", "minilm", "tiny"]
    assert ask(base="tiny").base == "tiny"


@pytest.mark.parametrize("changes", [{"temperature": None}, {"epochs": None}, {"epochs": "viel"}])
def test_a_number_left_empty_is_refused_with_one_sentence(ask, changes):
    with pytest.raises(UserError):
        ask(**changes)


@pytest.fixture
def script(monkeypatch):
    """Let the trainer run a few lines of Python instead of a training; return the settings for them."""
    start = subprocess.Popen

    def prepare(lines):
        monkeypatch.setattr(
            "vcs_demo.ui.train.trainer.subprocess.Popen",
            lambda words, **settings: start([sys.executable, "-c", lines], **settings),
        )
        monkeypatch.setattr("vcs_demo.ui.train.trainer.PAUSE", 0.02)
        return RetrainSettings(output=models_dir() / "mine")

    return prepare


def followed(trainer, lang="en"):
    return (page for page, _ in trainer.follow(lang))


def facts(low=0.01, high=0.2):
    row = {"before": 0.1, "before_interval": [0.05, 0.15], "after": 0.2, "after_interval": [0.1, 0.3]}
    row |= {"difference": 0.1, "difference_interval": [low, high]}
    (models_dir() / "mine").mkdir(exist_ok=True)
    text = json.dumps({"metrics": {"map": row}, "evaluation": {"main": "map"}})
    (models_dir() / "mine" / "training.json").write_text(text, "utf-8")


def test_a_finished_training_is_told_with_its_verdict_and_figures(script):
    trainer = Trainer()
    trainer.start(script("pass"))
    facts()
    (first, _), *_, (last, table) = trainer.follow("en")
    assert "<progress" in first
    assert 'class="vcs-notice good"' in last and "“mine” is ready" in last and "map went from 0.100" in last
    assert "0.100 [0.050, 0.150]" in table


def test_a_failed_training_is_told_by_its_last_line(script):
    trainer = Trainer()
    trainer.start(script("import sys; sys.exit('error: <b>There are no labels.')"))
    *_, last = followed(trainer)
    assert 'class="vcs-notice bad"' in last and "failed: &lt;b&gt;There are no labels." in last


@pytest.mark.parametrize(
    ("script_lines", "code", "reason"),
    [
        ("print('step 108/180  loss 0.1  0:01 left')", 1, "it ended with code 1 and gave no reason"),
        (
            "print('step 108/180  loss 0.1'); raise RuntimeError('cuda on fire')",
            1,
            "RuntimeError: cuda on fire",
        ),
        ("print('error: m is full.'); print('step 2/3 x')", 1, "m is full."),
        ("import os; os.kill(os.getpid(), 9)", 0, "killed, perhaps for lack of memory"),
    ],
)
def test_a_failure_is_told_by_its_reason_and_never_by_a_step(script, script_lines, code, reason):
    trainer = Trainer()
    trainer.start(script(f"{script_lines}\nimport sys; sys.exit({code})"))
    *_, last = followed(trainer)
    assert reason in last and "step 108" not in last and 'class="vcs-notice bad"' in last


def test_a_log_that_cannot_be_written_hides_no_reason(script):
    settings = script("import sys; sys.exit('error: The disk is full.')")
    settings.output.with_name("mine.log").mkdir(parents=True)
    trainer = Trainer()
    trainer.start(settings)
    *_, last = followed(trainer)
    assert "failed: The disk is full." in last


def test_a_training_gets_the_pages_language_and_an_input_that_ends_with_the_app(script):
    lines = "import os, sys; print('error:', os.environ['_VCS_LANGUAGE'], os.environ['_VCS_ENDS_WITH_INPUT'])"
    trainer = Trainer()
    trainer.start(script(f"{lines}; sys.stdin.read(); sys.exit(1)"), "vi")
    assert trainer.running
    trainer._process.stdin.close()  # as when the app is gone
    *_, last = followed(trainer, "vi")
    assert "vi 1" in last


def test_a_model_whose_overwrite_was_killed_is_back_when_the_app_starts():
    (models_dir() / "m.old.partial").mkdir()
    Trainer()
    assert [path.name for path in models_dir().iterdir()] == ["m"]


def test_progress_is_read_from_the_unfinished_models_folder(script):
    partial = models_dir() / "mine.partial"
    partial.mkdir()
    state = {"stage": "training", "step": 3, "total": 12, "loss": 0.25, "eta": 75}
    (partial / "progress.json").write_text(json.dumps(state), "utf-8")
    trainer = Trainer()
    trainer.start(script("import time; time.sleep(60)"))
    steps = followed(trainer)
    next(steps)
    assert "Step 3 of 12, loss 0.2500, about 1:15 left" in next(steps)
    (partial / "progress.json").write_text('{"stage": "evaluating the base model"}', "utf-8")
    assert "Under way: evaluating the base model" in next(steps)
    (partial / "progress.json").write_text("{", "utf-8")
    assert "Under way" in next(steps)
    assert trainer.running and trainer.stop()
    *_, last = steps
    assert "Stopped." in last and not trainer.running and not trainer.stop()


def test_a_second_training_is_refused_while_one_runs_and_leaving_the_page_stops_nothing(script):
    settings, trainer = script("import time; time.sleep(60)"), Trainer()
    trainer.start(settings)
    steps = followed(trainer)
    next(steps)
    with pytest.raises(UserError) as busy:
        trainer.start(settings)
    assert "Đang có một lượt huấn luyện khác" in explain(busy.value, "vi")
    steps.close()
    assert trainer.running
    assert trainer.stop()
    assert trainer._process.returncode == -signal.SIGTERM


@pytest.mark.parametrize(
    ("low", "high", "word"), [(0.01, 0.2, "tốt hơn"), (-0.2, -0.01, "kém hơn"), (-0.1, 0.1, "khác biệt")]
)
def test_the_verdict_follows_the_interval(low, high, word):
    assert summary("mine", "vi") == ("", "")
    facts(low, high)
    assert word in summary("mine", "vi")[0]


def test_the_figures_of_a_model_are_shown_before_and_after():
    facts(low=-0.01)
    html = summary("mine", "vi")[1]
    assert "0.100 [0.050, 0.150]" in html and "+0.100 [-0.010, +0.200]" in html and ">trước<" in html


def test_training_anyway_lifts_the_floors(ask):
    options = ask()
    assert (options.min_coverage, options.min_alpha) == (MIN_COVERAGE, MIN_ALPHA)
    options = ask(anyway=True)
    assert (options.min_coverage, options.min_alpha) == (0, -1)


def test_coverage_and_agreement_are_told_before_training(store, make):
    text = state(store, "en")
    assert "0 of 3 candidates have a label (0%)" in text and "cannot be measured: no labels yet." in text
    assert "**Only 0.0% of the candidates have a label, and 10% should. Label more, or tick" in text
    for who, labels in {"Lan": ("hard", "hard", "trivial"), "Mai": ("hard", "trivial", "hard")}.items():
        for number, label in enumerate(labels, start=1):
            store.label(make(number).id, who, label, token=f"{who} {number}")
        if who == "Lan":
            text = state(store, "vi")
            assert "3 trên 3 ứng viên đã có nhãn (100%)" in text and "chỉ có một người." in text
            assert "Vẫn huấn luyện" not in text
    # By hand: of 6 labels, 4 hard and 2 trivial, 4/6 disagree; by chance 1 - (4·3 + 2·1) / (6·5) = 16/30.
    text = state(store, "en")
    assert "Krippendorff's α is -0.25 on the 3 candidates" in text
    assert "**The annotators agree too little: α is -0.25 and should be 0.4 or more." in text


def test_labels_under_a_floor_are_not_trained_on_unless_told(store, ask):
    with pytest.raises(UserError) as error:
        allow(store, ask())
    assert "Mới có 0.0% ứng viên có nhãn" in explain(error.value, "vi")
    allow(store, ask(anyway=True))


def test_what_training_did_to_the_labels_is_shown_as_no_evidence():
    facts()
    path = models_dir() / "mine" / "training.json"
    known = json.loads(path.read_text("utf-8"))
    row = known["metrics"]["map"] | {"label": "hard", "measure": "margin", "labels": 7, "queries": 5}
    path.write_text(json.dumps(known | {"gains": [row]}), "utf-8")
    html = summary("mine", "en")[1]
    assert "Hard negative (7)" in html and "margin s⁺ − s (should grow)" in html
    assert "no held-out evidence" in html and html.count("<table>") == 2
    assert "Âm khó (7)" in summary("mine", "vi")[1]


def test_every_measure_of_a_gain_and_every_reason_against_alpha_has_words():
    assert {f"gain.{measure}" for measures in SHOWN.values() for measure in measures} <= words("en").keys()
    for reason in ("no_labels", "one_annotator", "nothing_shared", "one_label"):
        assert reason in REASONS and f"agree.{reason}" in words("en")
