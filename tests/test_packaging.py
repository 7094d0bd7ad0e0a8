"""The package is declared once and whole: dependencies, what it imports, and the data it ships."""

import ast
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("vcs_demo", "annotations", "training")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SCRIPTS = (
    "training/retrain.py",
    "training/effects.py",
    "training/experiments.py",
)  # without an installation too
NOT_SHIPPED = ("README.md", "search.webp")  # beside the packages' modules, for readers of the repository


def name(requirement):
    return re.match(r"[\w.-]+(\[[\w,]+\])?", requirement).group().lower().replace("_", "-")


def pins():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_requirements_pin_what_the_project_depends_on():
    assert all(re.search(r"==\d", pin) for pin in pins())
    assert sorted(map(name, pins())) == sorted(map(name, PROJECT["project"]["dependencies"]))


def test_what_is_imported_is_declared():
    extras = PROJECT["project"]["optional-dependencies"]
    declared = [*PROJECT["project"]["dependencies"], *(one for extra in extras.values() for one in extra)]
    modules = {name(requirement).partition("[")[0].replace("-", "_") for requirement in declared}
    imported = {}
    for path in [ROOT / "app.py", *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0]: path for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported[node.module.partition(".")[0]] = path
    foreign = set(imported) - set(sys.stdlib_module_names) - set(PACKAGES)
    assert len(foreign) > 10
    assert {module: imported[module] for module in foreign - modules} == {}


def test_every_file_of_a_package_is_shipped():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    files = [
        (package, path.relative_to(ROOT / package).as_posix())
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert len(files) > 40
    left = [
        f"{package}/{file}"
        for package, file in files
        if file not in NOT_SHIPPED
        and not any(fnmatch(file, pattern.replace("**/", "")) for pattern in patterns.get(package, ()))
    ]
    assert left == []


def test_every_folder_with_modules_is_a_package():
    folders = {path.parent for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_licence_is_what_the_project_names():
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License" in text and "Version 2.0, January 2004" in text


@pytest.mark.parametrize("script", ["app.py", *SCRIPTS])
def test_a_script_runs_from_any_directory(script, tmp_path):
    words = [sys.executable, str(ROOT / script), "--help"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and f"python {script}" in done.stdout, done.stderr


def test_only_the_scripts_change_the_path_of_imports():
    paths = [
        ROOT / "app.py",
        *(path for folder in (*PACKAGES, "tests") for path in (ROOT / folder).rglob("*.py")),
    ]
    own = Path(__file__)
    lines = [
        path.relative_to(ROOT).as_posix()
        for path in paths
        for line in path.read_text("utf-8").splitlines()
        if "sys.path" in line and path != own
    ]
    assert sorted(lines) == sorted(SCRIPTS)
