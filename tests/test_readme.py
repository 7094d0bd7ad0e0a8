"""The README is tested: its commands exist, its figures are what the commands print."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from vcs_demo.benchmark.tasks import TASK_NAMES, load_task
from vcs_demo.measuring.evaluate import evaluate
from vcs_demo.rankers.catalog import CATALOG, load_ranker

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
READMES = {
    part: (ROOT / part / "README.md").read_text("utf-8") for part in ("vcs_demo", "annotations", "training")
}
ROW = re.compile(
    r"^\| (\S+) \| (\d+) \| (\S+) \| (0\.\d{3}) \[(.*?)\] \| (?:–|(0\.\d{3}) \[(.*?)\]) \| (0\.\d{3}) \[(.*?)\] \|$",
    re.M,
)


def test_the_spaces_front_matter_fits_the_requirements():
    pins = dict(
        line.split("==") for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line
    )
    assert README.startswith("---\n")
    assert f"sdk_version: {pins['gradio[oauth]']}\n" in README
    for line in ("sdk: gradio", 'python_version: "3.11"', "app_file: app.py"):
        assert f"\n{line}\n" in README


@pytest.mark.parametrize("ranker", ["bm25", "vcs-20m", "bm25+vcs-20m", "vcs-static", "minilm", "bm25+minilm"])
def test_the_measured_figures_are_what_the_command_measures(ranker):
    rows = [row for row in ROW.findall(READMES["vcs_demo"]) if row[2] == ranker]
    assert len(rows) == 4
    task, queries, _, acc1, interval1, acc20, interval20, ap, _ = next(
        r for r in rows if r[0] == "vimedretrieve"
    )
    run = evaluate(load_task(task), load_ranker(ranker))
    assert run.queries == int(queries)
    # A dense model's scores can differ in the last bits between processors: one query of 168 is 0.006.
    slack = 1e-9 if ranker == "bm25" else 0.007
    for measure, figure, interval in (("accuracy@1", acc1, interval1), ("accuracy@20", acc20, interval20)):
        assert run.metrics[measure] == pytest.approx(float(figure), abs=slack + 5e-4)
        low, high = map(float, interval.split(", "))
        assert run.intervals[measure] == pytest.approx((low, high), abs=2 * slack + 5e-4)
    assert run.metrics["map"] == pytest.approx(float(ap), abs=slack + 5e-4)


def test_every_task_ranker_and_variable_is_documented():
    for name in (*(t.partition("/")[0] for t in TASK_NAMES), *CATALOG):
        assert f"`{name}`" in READMES["vcs_demo"]
    used = set()
    for path in [ROOT / "app.py", *ROOT.glob("vcs_demo/**/*.py"), *ROOT.glob("annotations/**/*.py")]:
        used |= set(re.findall(r"[\"'](VCS_[A-Z_]+)[\"']", path.read_text("utf-8")))
    assert used and all(f"`{name}`" in READMES["vcs_demo"] for name in used)


@pytest.mark.parametrize(
    "command",
    [
        ["app.py"],
        ["-m", "vcs_demo"],
        ["-m", "vcs_demo", "evaluate"],
        *(
            ["-m", "annotations", c]
            for c in (
                *("mine", "import", "export", "status", "audit", "agreement", "backup", "restore"),
                *("settings", "calibrate", "gold"),
            )
        ),
        ["training/effects.py"],
        ["training/retrain.py"],
    ],
    ids=" ".join,
)
def test_every_command_has_help_and_is_in_a_readme(command):
    done = subprocess.run([sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "usage:" in done.stdout.lower()
    assert any(command[-1] in text for text in (README, *READMES.values()))
    if command[-1] != "vcs_demo":
        assert "Example" in done.stdout or "example" in done.stdout


def test_the_make_targets_are_there():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    assert {"demo", "test", "lint", "format"} <= set(targets)
