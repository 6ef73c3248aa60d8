"""The commands on real parts: a few documents in a data folder of the test's own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from ui.__main__ import ROOT, app

ESCROW = """---
title: Escrow
topic: Payments
url: https://help.example/escrow
---
Escrow holds the client's money until the work is approved.

## Fees

The fee is 5 % of each payment and the client pays it.
"""
TEAMS = "# Teams\n\nAn owner invites colleagues to a team by e-mail.\n"

Run = Callable[..., Result]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "escrow.md").write_text(ESCROW, "utf-8")
    (folder / "teams.md").write_text(TEAMS, "utf-8")
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str | None]:
    """Settings that keep everything in the test's folder and ask no model server."""
    return {"ATTUNE_DATA_DIR": str(tmp_path / "data"), "ATTUNE_MODEL": None, "OPENAI_API_KEY": None}


@pytest.fixture
def run(environment: dict[str, str | None]) -> Run:
    def invoke(*arguments: object, typed: str | None = None) -> Result:
        return CliRunner(env=environment).invoke(app, [str(one) for one in arguments], input=typed)

    return invoke


def counts(result: Result) -> dict[str, int]:
    report = json.loads(result.stdout)
    return {name: report[name] for name in ("added", "updated", "unchanged", "removed")}


def test_ingest_counts_what_it_did(run: Run, docs: Path) -> None:
    first = run("ingest", docs, "--json")
    assert first.exit_code == 0
    assert counts(first) == {"added": 2, "updated": 0, "unchanged": 0, "removed": 0}
    (docs / "escrow.md").write_text(ESCROW.replace("5 %", "6 %"), "utf-8")
    (docs / "teams.md").unlink()
    assert counts(run("ingest", docs, "--json")) == {"added": 0, "updated": 1, "unchanged": 0, "removed": 1}
    assert counts(run("ingest", docs, "--json")) == {"added": 0, "updated": 0, "unchanged": 1, "removed": 0}


def test_ingest_keeps_what_is_gone_when_asked_to(run: Run, docs: Path) -> None:
    run("ingest", docs)
    (docs / "teams.md").unlink()
    assert counts(run("ingest", docs, "--no-prune", "--json"))["removed"] == 0


def test_ingest_rebuilds_when_asked_to(run: Run, docs: Path) -> None:
    run("ingest", docs)
    assert json.loads(run("ingest", docs, "--json").stdout)["embedded"] == 0
    assert json.loads(run("ingest", docs, "--rebuild", "--json").stdout)["embedded"] >= 2


def test_ingest_says_which_files_failed_and_why(run: Run, docs: Path) -> None:
    (docs / "broken.pdf").write_bytes(b"not a PDF")
    result = run("ingest", docs)
    assert result.exit_code == 1
    assert "2 added" in result.stdout
    assert "1 failed" in result.stdout
    assert "broken.pdf" in result.stderr
    (failure,) = json.loads(run("ingest", docs, "--json").stdout)["failed"]
    assert failure["path"].endswith("broken.pdf")
    assert failure["reason"]


def test_users_load_says_which_rows_failed_and_why(run: Run, tmp_path: Path) -> None:
    users = tmp_path / "users.csv"
    users.write_text("user_id,age\nann,33\n,4\nbob,5\n", "utf-8")
    result = run("users", "load", users)
    assert (result.exit_code, result.stdout) == (1, "Users: 2 loaded, 1 failed\n")
    assert result.stderr == "  line 3: expected a user id of 1 to 200 characters, got ''\n"
    told = json.loads(run("users", "load", users, "--json").stdout)
    assert told == {"users": 2, "failed": [{"line": 3, "reason": result.stderr.strip().removeprefix("line 3: ")}]}
    users.write_text("user_id,age\nann,33\n", "utf-8")
    assert (run("users", "load", users).exit_code, run("users", "load", users).stdout) == (0, "Users: 1 loaded\n")


def test_search_shows_passages_and_scores(run: Run, docs: Path) -> None:
    run("ingest", docs)
    result = run("search", "Who pays the fee?", "--limit", "1", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    (hit,) = found["hits"]
    assert hit["passage"]["title"] == "Escrow"
    assert "the client pays it" in hit["passage"]["text"]
    assert 0 <= hit["score"] <= 1
    assert 0 <= found["confidence"] <= 1
    shown = run("search", "Who pays the fee?").stdout
    assert "1. Escrow" in shown
    assert f"score {hit['score']:.3f}" in shown
    assert "https://help.example/escrow" in shown


def test_an_empty_question_is_refused(run: Run) -> None:
    result = run("search", "  ")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "The question is empty" in result.stderr


def test_search_finds_nothing_in_an_empty_knowledge_base(run: Run) -> None:
    result = run("search", "Who pays the fee?", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["hits"] == []


def test_another_embedding_model_is_refused_in_words(run: Run, docs: Path, environment: dict[str, str | None]) -> None:
    run("ingest", docs)
    environment |= {
        "ATTUNE_EMBEDDINGS": "other-model",
        "ATTUNE_EMBEDDINGS_BASE_URL": "http://127.0.0.1:9",
        "ATTUNE_EMBEDDINGS_API_KEY": "none",
    }
    result = run("search", "Who pays the fee?")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: ")
    assert "other-model" in result.stderr


def test_a_measured_table_is_shown_with_one_measure_a_column(run: Run, tmp_path: Path) -> None:
    rows = [f"{number % 20},{int(number % 3 == 0)}" for number in range(80)]
    (tmp_path / "users.csv").write_text("visits,left\n" + "\n".join(rows), "utf-8")
    done = run("evaluate", "predict", "--data", tmp_path / "users.csv", "--target", "left")
    assert done.exit_code == 0, done.stderr
    *_, header, local, logistic = done.stdout.splitlines()
    assert header.split() == ["auroc", "log_loss", "calibration_error"]
    assert re.fullmatch(r"\s*local model(\s+\d\.\d{4}){3}\s*", local)
    assert re.fullmatch(r"\s*logistic regression(\s+\d\.\d{4}){3}\s*", logistic)


def test_chat_is_kept_listed_shown_continued_and_deleted(run: Run, docs: Path) -> None:
    run("ingest", docs)
    chatted = run("chat", "--user", "ada", typed="Who pays the fee?\n/quit\n")
    assert chatted.exit_code == 0
    assert "[1] Escrow" in chatted.stdout
    (listed,) = json.loads(run("conversations", "list", "ada", "--json").stdout)
    assert listed["title"] == "Who pays the fee?"
    assert listed["id"] in run("conversations", "list", "ada").stdout
    assert run("conversations", "list", "bob").stdout == ""

    assert run("chat", "--user", "ada", "--conversation", listed["id"], typed="And a team?").exit_code == 0
    exchanges = json.loads(run("conversations", "show", "ada", listed["id"], "--json").stdout)
    assert [one["question"] for one in exchanges] == ["Who pays the fee?", "And a team?"]
    assert exchanges[0]["reply"]["answer"] in run("conversations", "show", "ada", listed["id"]).stdout

    assert run("conversations", "delete", "ada", listed["id"], typed="n\n").exit_code == 1
    assert run("conversations", "delete", "bob", listed["id"], "--yes").exit_code == 2
    assert run("conversations", "delete", "ada", listed["id"], "--yes").exit_code == 0
    assert json.loads(run("conversations", "list", "ada", "--json").stdout) == []
    gone = run("conversations", "show", "ada", listed["id"])
    assert (gone.exit_code, gone.stdout) == (2, "")


def started(process: "subprocess.Popen[str]") -> str:
    """What the server says before its address, and the address at the end."""
    said = ""
    assert process.stderr is not None
    for line in process.stderr:
        said += line
        if "answers at" in line:
            return said
    raise AssertionError(f"The server ended: {said}")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_serves_what_it_was_asked_to_ingest_until_a_signal(docs: Path, environment: dict[str, str | None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    set_ones = {name: value for name, value in environment.items() if value is not None}
    known = {name: value for name, value in os.environ.items() if name not in environment} | set_ones
    command = [sys.executable, "-m", "ui", "serve", "--port", str(port), "--ingest", str(docs)]
    with subprocess.Popen(command, cwd=ROOT, env=known, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            said = started(process)
            assert "2 added" in said
            assert f"http://127.0.0.1:{port}" in said
            answer = ask(port)
            assert answer["sources"][0]["title"] == "Escrow"
            assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
            assert "data folder" in httpx.get(f"http://127.0.0.1:{port}/health/ready").json()["checks"]
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()


def ask(port: int) -> dict[str, Any]:
    body = {"user_id": "ada", "query": "Who pays the fee?"}
    response = httpx.post(f"http://127.0.0.1:{port}/api/query", json=body, timeout=30)
    assert response.status_code == 200
    return dict(response.json())
