"""The command line: what it refuses and how it says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.errors import SettingsError
from ui.__main__ import ROOT, app, shadowed
from ui.configuration import load_settings
from ui.server import bind

NETWORK = "0.0.0.0"  # noqa: S104 - the address that must be refused


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def python(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    known = {**os.environ, "PYTHONPATH": "", **environment}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=known, check=False)  # noqa: S603


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["serve"],
        ["ingest"],
        ["search"],
        ["chat"],
        ["evaluate"],
        ["evaluate", "retrieval"],
        ["evaluate", "answers"],
        ["evaluate", "topics"],
        ["conversations"],
        ["conversations", "list"],
        ["conversations", "show"],
        ["conversations", "delete"],
    ],
)
def test_every_command_explains_itself(command: list[str]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.stdout


def test_runs_as_a_module() -> None:
    done = python("-m", "ui", "--help", cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "python -m ui" in done.stdout


@pytest.mark.parametrize("host", [NETWORK, "192.168.1.4"])
def test_serving_a_network_is_refused_with_what_is_missing(host: str) -> None:
    result = run("serve", "--host", host)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: Expected a loopback address")
    assert "authentication" in result.stderr


def test_a_busy_port_is_named_with_a_way_out() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        result = run("serve", "--port", str(port))
    assert result.exit_code == 2
    assert f"127.0.0.1:{port} cannot be used" in result.stderr
    assert f"--port {port + 1}" in result.stderr


def test_a_wrong_setting_names_its_variable_and_not_its_value() -> None:
    result = CliRunner(env={"ATTUNE_MAX_MESSAGE_CHARS": "sk-secret"}).invoke(app, ["serve"])
    assert result.exit_code == 2
    assert "ATTUNE_MAX_MESSAGE_CHARS: " in result.stderr
    assert "secret" not in result.stderr


def test_what_is_chosen_goes_over_the_environment() -> None:
    assert load_settings(port=1234, host=None).port == 1234
    assert load_settings(port=None).host == "127.0.0.1"
    with pytest.raises(SettingsError, match="ATTUNE_PORT"):
        load_settings(port=0)


def test_a_data_folder_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "data"):
        monkeypatch.setenv("ATTUNE_DATA_DIR", str(folder))
        with pytest.raises(SettingsError, match=f"got {folder}: {tmp_path / 'file'} is not a folder"):
            load_settings()
    monkeypatch.setenv("ATTUNE_DATA_DIR", str(tmp_path / "to" / "be" / "made"))
    assert load_settings().data_dir == tmp_path / "to" / "be" / "made"
    assert not (tmp_path / "to").exists()


def test_our_own_packages_are_found() -> None:
    assert shadowed() == []


def test_names_what_stands_in_the_way(tmp_path: Path) -> None:
    assert shadowed(("ui", "nothing_of_the_kind"), tmp_path) == [
        f"ui: {ROOT / 'ui' / '__init__.py'}",
        "nothing_of_the_kind: nothing",
    ]


def test_refuses_to_run_with_a_foreign_package(tmp_path: Path) -> None:
    """Another `tools` that comes first on the path, as some packages install one."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "__init__.py").touch()
    path_first = f"import runpy, sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]"
    done = python("-c", f"{path_first}; runpy.run_module('ui', run_name='__main__')", cwd=tmp_path)
    assert done.returncode == 1
    assert f"tools: {tmp_path / 'tools' / '__init__.py'}" in done.stderr
    assert f"run from {ROOT}" in done.stderr
    assert "Traceback" not in done.stderr
