"""Settings of a retraining refuse what cannot work, before anything is read."""

from pathlib import Path

import pytest

from training.retraining.settings import LossSettings, RetrainSettings
from vcs_demo.errors import UserError
from vcs_demo.paths import database_path, models_dir


def test_what_is_not_given_comes_from_the_data_directory():
    settings = RetrainSettings(base="minilm")
    assert settings.labels == database_path()
    assert settings.output == models_dir() / "minilm-retrained"


def test_anyway_lifts_both_floors():
    settings = RetrainSettings(anyway=True)
    assert (settings.min_coverage, settings.min_alpha) == (0, -1)
    assert "--anyway" in settings.as_arguments() and "--min-alpha" not in settings.as_arguments()


def test_the_command_names_folders_without_their_paths(tmp_path):
    settings = RetrainSettings(
        labels=tmp_path / "my labels.db",
        base="minilm",
        output=tmp_path / "m",
        query_prompt="<|query|> ",
        restart=True,
    )
    command = settings.as_command()
    assert command.startswith(
        "python training/retrain.py --labels 'my labels.db' --base minilm --output m --loss modified"
    )
    assert (
        "--query-prompt '<|query|> ' --seed 42 --task vimedretrieve --min-coverage 0.1 --min-alpha 0.4"
        in command
    )
    assert "--restart" not in command and str(tmp_path) not in command


def test_the_arguments_give_the_settings_back(tmp_path):
    arguments = RetrainSettings(
        output=tmp_path / "m", pairs="mini", save_steps=3, overwrite=True
    ).as_arguments()
    assert arguments[arguments.index("--output") + 1] == str(tmp_path / "m")
    assert arguments[arguments.index("--save-steps") + 1] == "3" and arguments[-1] == "--overwrite"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"temperature": 0}, "--temperature is '0'; it must be above 0"),
        ({"epochs": float("nan")}, "--epochs is 'nan'"),
        ({"batch_size": 0}, "--batch-size is '0'; it must be 1 or more"),
        ({"min_coverage": 1.5}, "--min-coverage is '1.5'; it must be between 0 and 1"),
        ({"min_alpha": float("nan")}, "--min-alpha is 'nan'; it must be between -1 and 1"),
        ({"directions": "authors", "negatives": "hard"}, "does not go with --negatives hard"),
        ({"task": "virerank"}, "--task is 'virerank'; it must be one of vimedretrieve"),
        ({"base": "bm25"}, "'bm25' is not an embedding model; give 'vcs-20m'"),
        ({"base": "phoranker"}, "'phoranker' is not an embedding model"),
        ({"base": "bkai-bi-encoder"}, "'bkai-bi-encoder' reads segmented words"),
        ({"source": "no-such"}, "The source 'no-such' is not a folder"),
        ({"pairs": "no-such"}, "The source 'no-such' is not a folder"),
        ({"output": "bm25"}, "'bm25' is the name of a ranker that ships"),
        ({"output": "BM25"}, "is the name of a ranker that ships"),
        ({"output": "mine+v2"}, "'mine+v2' cannot be a model's name: '+' joins rankers"),
        ({"output": "mine\u200b"}, "cannot be a model's name"),
        ({"output": "mine "}, "cannot be a model's name"),
        ({"output": "m.partial"}, "ends in '.partial'"),
        ({"output": "."}, "which names no folder"),
        ({"output": Path(__file__) / "m"}, "cannot be written"),
    ],
)
def test_what_cannot_work_is_one_sentence(changes, words):
    with pytest.raises(UserError) as error:
        RetrainSettings(**changes)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_the_losses_settings_stand_alone():
    with pytest.raises(UserError, match="--directions authors does not go with"):
        LossSettings(directions="authors", negatives="hard")


def test_an_output_that_is_there_is_replaced_only_when_asked_and_only_if_a_retraining_wrote_it(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "training.json").write_text("{}")
    with pytest.raises(UserError, match="model exists already; give another --output, or --overwrite"):
        RetrainSettings(output=model)
    assert RetrainSettings(output=model, overwrite=True).output == model
    (model / "training.json").rename(model / "thesis.txt")
    with pytest.raises(UserError, match="holds something else than a retrained model"):
        RetrainSettings(output=model, overwrite=True)
