"""The arrows between packages go one way, and no two modules import each other, also not by a detour."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("vcs_demo", "annotations", "training")

# What a part of the tree may import, beside itself and libraries. The most special prefix counts.
MAY_IMPORT = {
    "app": {"vcs_demo", "vcs_demo.ui", "annotations"},
    "vcs_demo": {"vcs_demo"},  # the core
    "vcs_demo.__main__": {"vcs_demo", "annotations"},  # a command: `--labels` reads an export of labels
    "vcs_demo.ui": {"vcs_demo", "vcs_demo.ui", "annotations", "training"},
    "annotations": {"vcs_demo", "annotations"},
    "training": {"vcs_demo", "annotations", "training"},
    "training.losses": {"vcs_demo", "training"},
    "training.recipe": {"vcs_demo", "training"},
}
LABELS_ALONE = ("annotations.exchange", "annotations.store", "annotations.candidates", "annotations.mining")


def modules():
    """Return name → path of every module outside tests."""
    files = [ROOT / "app.py", *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in files
    }


def imports(path, modules):
    """Yield (line, module) for every import of our own modules, those inside functions too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            while name and name not in modules:
                name = name.rpartition(".")[0]
            if name:
                yield node.lineno, name


def rule(module):
    return max((prefix for prefix in MAY_IMPORT if f"{module}.".startswith(f"{prefix}.")), key=len)


def part(module):
    """Name the part of the tree that an imported module belongs to."""
    return "vcs_demo.ui" if f"{module}.".startswith("vcs_demo.ui.") else module.partition(".")[0]


MODULES = modules()
GRAPH = {name: list(imports(path, MODULES)) for name, path in MODULES.items()}


def where(module, line):
    return f"{MODULES[module].relative_to(ROOT)}:{line}"


def test_the_graph_is_read():
    assert len(MODULES) > 100 and sum(map(len, GRAPH.values())) > 400


def test_arrows_go_one_way():
    against = [
        f"{where(name, line)} imports {other}"
        for name, lines in GRAPH.items()
        for line, other in lines
        if part(other) not in MAY_IMPORT[rule(name)]
    ]
    assert against == []


def test_the_core_is_built_from_the_benchmark_up():
    order = ("vcs_demo.benchmark", "vcs_demo.rankers", "vcs_demo.measuring", "vcs_demo.library")

    def level(module):
        return next((n for n, prefix in enumerate(order) if f"{module}.".startswith(f"{prefix}.")), None)

    against = [
        f"{where(name, line)} imports {other}"
        for name, lines in GRAPH.items()
        for line, other in lines
        if None not in (level(name), level(other)) and level(other) > level(name)
    ]
    assert against == []


def test_training_takes_labels_alone_from_annotations():
    against = [
        f"{where(name, line)} imports {other}"
        for name, lines in GRAPH.items()
        if name.startswith("training")
        for line, other in lines
        if other.startswith("annotations") and not other.startswith(LABELS_ALONE)
    ]
    assert against == []


def test_no_two_modules_import_each_other():
    """Report every circle by its lines; imports inside functions count too."""
    state, path, circles = {}, [], []

    def visit(name):
        state[name] = "open"
        path.append(name)
        for line, other in GRAPH[name]:
            if other == name:
                continue
            if state.get(other) == "open":
                circle = path[path.index(other) :] + [other]
                circles.append(f"{where(name, line)}: " + " → ".join(circle))
            elif other not in state:
                visit(other)
        path.pop()
        state[name] = "done"

    for name in MODULES:
        if name not in state:
            visit(name)
    assert circles == []


def test_no_folder_holds_more_than_a_dozen_modules():
    folders = {}
    for path in MODULES.values():
        if path.name != "__init__.py":
            folders.setdefault(path.parent.relative_to(ROOT), []).append(path.name)
    assert {str(folder): len(names) for folder, names in folders.items() if len(names) > 13} == {}


def test_no_module_is_longer_than_three_hundred_lines():
    long = {
        name: n for name, path in MODULES.items() if (n := len(path.read_text("utf-8").splitlines())) > 300
    }
    assert long == {}


def test_no_function_outside_a_command_takes_parsed_arguments():
    users = [
        str(path.relative_to(ROOT)) for path in MODULES.values() if "argparse" in path.read_text("utf-8")
    ]
    assert users == []


@pytest.mark.parametrize(
    "module",
    [
        "vcs_demo.measuring.metrics",
        "vcs_demo.__main__",
        "vcs_demo.benchmark.tasks",
        "annotations",
        "training",
    ],
)
def test_importing_a_module_loads_nothing_heavy(module):
    heavy = ("torch", "transformers", "sentence_transformers", "gradio", "sqlite_utils", "datasets", "scipy")
    script = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
