"""The READMEs are tested: commands, options, variables and links exist, and the figures are what is measured."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import click
import numpy as np
import pytest

from vcs_demo.benchmark.tasks import MAIN_TASKS, TASK_NAMES, load_task
from vcs_demo.measuring.comparison import compare
from vcs_demo.measuring.evaluate import evaluate
from vcs_demo.rankers.catalog import CATALOG, load_ranker
from vcs_demo.rankers.dense import DenseRanker

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("vcs_demo", "annotations", "training")
FRONT = (ROOT / "README.md").read_text("utf-8")
READMES = {package: (ROOT / package / "README.md").read_text("utf-8") for package in PACKAGES}
TEXTS = {"": FRONT, **READMES}

# Entry → the package whose README describes it.
ENTRIES = {
    "app": "vcs_demo",
    "vcs_demo.__main__": "vcs_demo",
    "annotations.__main__": "annotations",
    "training.retrain": "training",
    "training.effects": "training",
    "training.experiments": "training",
    "training.recipe.__main__": "training",
}


def entry(module):
    """Return the click command that a module runs: the one named as it is typed."""
    values = {id(value): value for value in vars(import_module(module)).values()}.values()
    (command,) = [v for v in values if isinstance(v, click.Command) and (v.name or "").startswith("python ")]
    return command


def commands(module):
    """Yield (line as typed, command) for an entry and everything below it."""
    waiting = [(entry(module).name, entry(module))]
    while waiting:
        line, command = waiting.pop(0)
        yield line, command
        if isinstance(command, click.Group):
            context = click.Context(command)
            waiting += [
                (f"{line} {n}", command.get_command(context, n)) for n in command.list_commands(context)
            ]


ALL = [(line, command, package) for module, package in ENTRIES.items() for line, command in commands(module)]


def test_the_commands_are_found():
    assert len(ALL) >= 35
    assert {"python app.py", "python -m annotations account add"} <= {line for line, _, _ in ALL}


@pytest.mark.parametrize(("line", "command", "_package"), ALL, ids=[line for line, _, _ in ALL])
def test_every_command_is_in_a_readme_and_its_help_has_an_example(line, command, _package):
    assert any(re.search(rf"{re.escape(line)}(?![\w-])", text) for text in TEXTS.values()), line
    text = command.get_help(click.Context(command, info_name=line))
    assert command.help
    if not isinstance(command, click.Group):
        assert line in " ".join(text.partition("Example")[2].split()), text


def test_every_option_is_in_the_readme_of_its_package():
    missing = [
        f"{line} {option.opts[-1]}"
        for line, command, package in ALL
        for option in command.params
        if isinstance(option, click.Option)
        and not re.search(rf"{option.opts[-1]}(?![\w-])", READMES[package])
    ]
    assert missing == []


def blocks(text, language=""):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def typed():
    """Return every command line in the READMEs' blocks, without comments."""
    lines = [line for text in TEXTS.values() for block in blocks(text) for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if re.match(r"(\$ )?python (-m )?\S+", line)]


@pytest.mark.parametrize("line", typed())
def test_every_command_line_in_a_readme_is_accepted(line):
    words = shlex.split(line, comments=True)
    start = 3 if words[1] == "-m" else 2
    name = " ".join(words[:start])
    command = next(command for known, command, _ in ALL if known == name)
    rest = words[start:]
    while isinstance(command, click.Group) and rest:
        command = command.get_command(click.Context(command), rest.pop(0))
        assert command, line
    command.make_context(name, rest)  # raises UsageError


def test_there_are_command_lines():
    assert len(typed()) >= 25


def test_every_task_and_ranker_is_documented():
    for name in (*(name.partition("/")[0] for name in TASK_NAMES), *CATALOG):
        assert f"`{name}`" in READMES["vcs_demo"], name


def test_every_variable_is_documented():
    paths = [ROOT / "app.py", *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))]
    assert len(paths) > 100
    names = {
        name for path in paths for name in re.findall(r"[\"'](VCS_[A-Z_]+)[\"']", path.read_text("utf-8"))
    }
    assert len(names) >= 6
    assert [name for name in names if f"`{name}`" not in READMES["vcs_demo"]] == []


def anchors(path):
    heads = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_link_leads_somewhere():
    links = [
        (ROOT / folder / "README.md", target)
        for folder, text in TEXTS.items()
        for target in re.findall(r"\]\(([^)\s]+)\)", text)
        if "://" not in target
    ]
    assert len(links) > 15
    for source, target in links:
        file, _, anchor = target.partition("#")
        path = source.parent / file if file else source
        assert path.exists(), f"{source}: {target}"
        assert not anchor or anchor in anchors(path), f"{source}: {target}"
    assert all(f"]({package}/README.md" in FRONT for package in PACKAGES)


def test_the_front_page_is_short_and_no_path_is_of_one_machine():
    assert len(FRONT.splitlines()) <= 130
    for text in TEXTS.values():
        assert re.findall(r"(?<![\w.])/(?:home|root|tmp|work|Users|opt|mnt|data)/\S*", text) == []


def test_the_picture_is_small_and_described():
    ((words, picture),) = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", FRONT)
    assert len(words) > 60
    assert 10_000 < (ROOT / picture).stat().st_size < 120_000


def test_the_spaces_front_matter_fits_the_requirements():
    assert FRONT.startswith("---\n")
    pins = dict(
        line.split("==") for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line
    )
    assert f"sdk_version: {pins['gradio[oauth]']}\n" in FRONT
    for line in ("sdk: gradio", 'python_version: "3.11"', "app_file: app.py"):
        assert f"\n{line}\n" in FRONT


def test_the_make_targets_are_there():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"demo", "test", "test-fast", "lint", "format"} <= targets
    assert {name for text in TEXTS.values() for name in re.findall(r"`?make ([\w-]+)", text)} <= targets


# The measured table of VCS-mini

ROW = re.compile(
    r"^\| (\S+) \| (\d+) \| (\S+) \| (0\.\d{3} \[.*?\]) \| (–|0\.\d{3} \[.*?\]) \| (0\.\d{3} \[.*?\]) \|$",
    re.M,
)
ROWS = ROW.findall(READMES["vcs_demo"])
RANKERS = ("bm25", "vcs-20m", "bm25+vcs-20m", "vcs-static", "minilm", "bm25+minilm")
QUICK = ("bm25", "vcs-static")


@pytest.fixture(scope="session")
def measured():
    """Return a function that evaluates a ranker on a task of VCS-mini, once a session; no text is encoded twice."""
    encode, vectors, tasks, rankers, runs = DenseRanker.encode, {}, {}, {}, {}

    def encode_once(ranker, texts, *, query=False, **settings):
        known = vectors.setdefault((ranker.fingerprint, query), {})
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known |= zip(new, encode(ranker, new, query=query, **settings), strict=True)
        return np.stack([known[text] for text in texts])

    def run(task_name, name):
        if (task_name, name) not in runs:
            task = tasks[task_name] = tasks.get(task_name) or load_task(task_name)
            ranker = rankers[name] = rankers.get(name) or load_ranker(name)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(DenseRanker, "encode", encode_once)
                if isinstance(ranker, DenseRanker):  # all at once: a group's few would be slower
                    ranker.encode(list(task.passages.values()))
                runs[task_name, name] = evaluate(task, ranker)
        return runs[task_name, name]

    return run


def test_the_table_has_every_ranker_on_every_task():
    assert [(row[0], row[2]) for row in ROWS] == [(task, ranker) for task in MAIN_TASKS for ranker in RANKERS]


@pytest.mark.parametrize(
    ("task", "queries", "ranker", "first", "twentieth", "mean"),
    [pytest.param(*row, marks=() if row[2] in QUICK else pytest.mark.slow) for row in ROWS],
    ids=[f"{row[0]}-{row[2]}" for row in ROWS],
)
def test_a_row_of_the_table_is_what_is_measured(measured, task, queries, ranker, first, twentieth, mean):
    run = measured(task, ranker)
    assert run.queries == int(queries)
    # A dense model's scores can differ in the last bits between processors, and so turn one query.
    slack = 1e-9 if ranker == "bm25" else 1.2 / run.queries
    for measure, cell in (("accuracy@1", first), ("accuracy@20", twentieth), ("map", mean)):
        if cell != "–":
            value, low, high = map(float, re.findall(r"[\d.]+", cell))
            assert run.metrics[measure] == pytest.approx(value, abs=slack + 5e-4)
            assert run.intervals[measure] == pytest.approx((low, high), abs=2 * slack + 5e-4)


@pytest.mark.slow
def test_the_comparison_is_what_is_measured(measured):
    names = ("bm25+vcs-20m", "bm25")
    (pair,) = compare([measured("vimedretrieve", name) for name in names], "map").pairs
    assert f"{pair.difference:+.3f} [{pair.interval[0]:+.3f}, {pair.interval[1]:+.3f}]" in READMES["vcs_demo"]


def test_the_front_page_shows_figures_of_the_table():
    block = next(block for block in blocks(FRONT) if "vcs_demo evaluate" in block).partition("\n\n")[0]
    figures = re.findall(r"0\.\d{3} \[.*?\]", block)
    rows = {row[2]: row[3:] for row in ROWS if row[0] == "vimedretrieve"}
    assert figures == [*rows["bm25"], *rows["vcs-20m"]]


# What the READMEs show of Python


def python_of(package):
    """Return the code under `From Python` in a package's README."""
    section = re.search(r"^## From Python\n(.*?)(?=^## |\Z)", READMES[package], re.M | re.S)
    return "\n".join(blocks(section.group(1), "python"))


def execute(package, capsys):
    """Run a README's code; what a line says in a comment is what it must print."""
    code = python_of(package)
    capsys.readouterr()
    exec(compile(code, f"{package}/README.md", "exec"), {})
    printed = capsys.readouterr().out
    for expected in re.findall(r"print\(.*\)  # (.*)$", code, re.M):
        assert expected in printed.splitlines(), printed


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("package", ["vcs_demo", "annotations"])
def test_the_python_of_a_readme_runs(package, here, capsys):
    execute(package, capsys)


@pytest.mark.slow
def test_the_python_of_training_runs_on_labels_of_annotations(here, capsys):
    execute("annotations", capsys)
    execute("training", capsys)
    assert (here / "models" / "mine" / "modules.json").is_file()


def test_every_python_block_compiles():
    codes = [code for text in TEXTS.values() for code in blocks(text, "python")]
    assert len(codes) >= 5
    for code in codes:
        compile(code, "README.md", "exec")


def squeezed(line):
    return " ".join(line.split())


def test_mining_prints_what_the_readmes_show(here, capsys):
    from annotations.__main__ import main

    line = next(line for line in typed() if line.startswith("python -m annotations mine"))
    assert main([*shlex.split(line)[3:], "--database", "labels.db"]) == 0
    printed = capsys.readouterr().out
    block = next(block for block in blocks(READMES["annotations"]) if line in block)
    shown = [squeezed(line.replace("data/labels.db", "labels.db")) for line in block.splitlines()[1:]]
    assert set(shown) <= {squeezed(line.replace(f"{here}/", "")) for line in printed.splitlines()}
