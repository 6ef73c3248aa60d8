"""Rules of the layout that nothing else would notice being broken; import contracts are checked by lint-imports."""

import ast
import os
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from ui.app import VERSION

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("agent", "tools", "knowledge_base", "ui")
HEAVY = (
    "gradio",
    "chromadb",
    "langchain_core",
    "langgraph",
    "onnxruntime",
    "numpy",
    "fastapi",
    "sqlalchemy",
    "pydantic",
)


def modules(*packages: str) -> list[Path]:
    """Our modules; migrations are scripts that Alembic finds and runs, not modules."""
    paths = (path for package in packages or PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return [path for path in paths if "migrations" not in path.parts]


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def python(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)  # noqa: S603


def test_the_command_line_imports_nothing_heavy() -> None:
    done = python("-c", f"import ui.__main__, sys; print([name for name in {HEAVY!r} if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


def test_importing_every_module_makes_no_file_and_prints_nothing(tmp_path: Path) -> None:
    """No work at import time: no folder, no database, no model; a module that runs as a program does so only then."""
    names = [dotted(path) for path in modules() if path.name != "__main__.py"]
    lines = "\n".join(f"import {name}" for name in [*names, "ui.__main__"])
    done = python("-c", lines, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", [*PACKAGES, "tests"])
def test_every_folder_with_code_is_a_package(package: str) -> None:
    """A folder without __init__.py loses against any installed package of the same name."""
    folders = {path.parent for path in modules(package)}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_no_module_is_called_like_a_library() -> None:
    """`from discord import …` in ui/discord.py is a trap for readers and for whoever runs the file itself."""
    libraries = {name.lower() for name in packages_distributions()} | set(sys.stdlib_module_names)
    libraries -= {*PACKAGES, "tests", "__main__"}
    ours = {path.stem: dotted(path) for path in modules()} | {path.parent.name: dotted(path) for path in modules()}
    # A packaging tool that nobody imports; one that Python 3.13 no longer has; one that only cProfile imports.
    allowed = {"build", "chunk", "profile"}
    assert {ours[name] for name in ours.keys() & libraries - allowed} == set()


def test_every_module_says_what_it_is_for() -> None:
    assert [dotted(path) for path in modules() if ast.get_docstring(ast.parse(path.read_text("utf-8"))) is None] == []


def test_one_version() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"] == VERSION
