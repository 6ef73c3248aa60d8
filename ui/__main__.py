"""The command line: python -m ui serve | ingest | search | chat | evaluate | conversations

Only what `--help` needs is imported here; each command brings the rest.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from knowledge_base.errors import AttuneError

ROOT = Path(__file__).resolve().parent.parent
OURS = ("agent", "tools", "knowledge_base", "ui")

# Exit codes: 0 done, 1 done in part (ingest: a file was not read), 2 not done (the message says why).
NOT_DONE = 2


class Commands(TyperGroup):
    """A group whose commands end in a message, not in a traceback, when something is wrong on purpose."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except AttuneError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(NOT_DONE) from error


app = typer.Typer(
    cls=Commands,
    help="Attune answers questions from your own documents, with citations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
evaluate = typer.Typer(cls=Commands, help="Measure retrieval and answers on question sets.", no_args_is_help=True)
conversations = typer.Typer(cls=Commands, help="List, read and delete stored conversations.", no_args_is_help=True)
app.add_typer(evaluate, name="evaluate")
app.add_typer(conversations, name="conversations")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else")]
Corpus = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="JSON lines: {id, title, text}")]
Queries = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="JSON lines: {id, text, history?, answer?}")]
Qrels = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Tab-separated: query-id, doc-id, relevance")]
User = Annotated[str, typer.Argument(help="Whose conversations")]
ConversationId = Annotated[str, typer.Argument(help="As `conversations list` shows it")]


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="A loopback address; ATTUNE_HOST or 127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="ATTUNE_PORT or 7860", min=1, max=65535)] = None,
    ingest: Annotated[list[Path] | None, typer.Option(help="Files and folders to index first")] = None,
    ingest_articles: Annotated[bool, typer.Option("--ingest-articles", help="… with the articles of the demo")] = False,
) -> None:
    """Serve the chat page and the HTTP API on one port of this machine."""
    from ui.commands import serve as command

    command.run(host, port, ingest or [], articles=ingest_articles)


@app.command()
def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders")],
    as_json: AsJson = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Embed everything anew with the configured model")] = False,
    prune: Annotated[bool, typer.Option(help="Remove documents whose files are gone from these folders")] = True,
    only: Annotated[bool, typer.Option("--only", help="Remove all other documents, such as the demo's")] = False,
) -> None:
    """Bring the knowledge base up to date with files. Exit code 1: some could not be read."""
    from ui.commands import ingest as command

    raise typer.Exit(command.run(paths, as_json=as_json, rebuild=rebuild, prune=prune, only=only))


@app.command()
def search(
    question: Annotated[str, typer.Argument(help="A question, as a user would ask it")],
    limit: Annotated[int, typer.Option(help="Passages to show", min=1, max=100)] = 6,
    as_json: AsJson = False,
) -> None:
    """Show the passages that a question finds, with their scores."""
    from ui.commands import search as command

    command.run(question, limit=limit, as_json=as_json)


@app.command()
def chat(
    user: Annotated[str, typer.Option(help="Who is asking")] = "local",
    conversation: Annotated[str | None, typer.Option(help="Continue this conversation")] = None,
) -> None:
    """Chat in this terminal."""
    from ui.commands import chat as command

    command.run(user, conversation)


@evaluate.command("retrieval")
def evaluate_retrieval(
    corpus: Corpus,
    queries: Queries,
    qrels: Qrels,
    run: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the ranking here, as a TREC run")] = None,
    as_json: AsJson = False,
) -> None:
    """nDCG@10, Recall@10 and MRR of the search; your own index is not touched."""
    from ui.commands import evaluate as command

    command.retrieval(corpus, queries, qrels, run=run, as_json=as_json)


@evaluate.command("answers")
def evaluate_answers(
    corpus: Corpus,
    queries: Queries,
    qrels: Qrels,
    answers: Annotated[Path | None, typer.Option(dir_okay=False, help="Write {id, answer, sources} lines here")] = None,
    as_json: AsJson = False,
) -> None:
    """Token recall and F1 of the answers, their length, and how many of their sentences cite a passage."""
    from ui.commands import evaluate as command

    command.answers(corpus, queries, qrels, answers=answers, as_json=as_json)


@conversations.command("list")
def list_conversations(
    user: User, limit: Annotated[int, typer.Option(min=1, max=1000)] = 50, as_json: AsJson = False
) -> None:
    """A user's conversations, the latest first."""
    from ui.commands import conversations as command

    command.list_all(user, limit=limit, as_json=as_json)


@conversations.command("show")
def show_conversation(user: User, conversation_id: ConversationId, as_json: AsJson = False) -> None:
    """A conversation from its beginning."""
    from ui.commands import conversations as command

    command.show(user, conversation_id, as_json=as_json)


@conversations.command("delete")
def delete_conversation(
    user: User,
    conversation_id: ConversationId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
) -> None:
    """Remove a conversation for good."""
    from ui.commands import conversations as command

    command.delete(user, conversation_id, sure=yes)


def shadowed(names: tuple[str, ...] = OURS, root: Path = ROOT) -> list[str]:
    """What stands where our packages should: 'tools: /elsewhere/tools/__init__.py' for each that is not in `root`."""
    return [f"{name}: {origin}" for name in names if Path(origin := _origin(name)).parent != root / name]


def _origin(name: str) -> str:
    spec = find_spec(name)
    return (spec.origin or "a folder without __init__.py") if spec else "nothing"


def main() -> None:
    """Check that this is Attune's own code, then run the command."""
    if foreign := shadowed():
        sys.exit(
            f"Error: expected the packages {', '.join(OURS)} of {ROOT}, but Python finds {'; '.join(foreign)}. "
            f"Another package has the same name: run from {ROOT} (python -m ui …), or set PYTHONPATH to it."
        )
    from ui.telemetry import switch_off_telemetry

    switch_off_telemetry()
    app(prog_name="python -m ui")


if __name__ == "__main__":
    main()
