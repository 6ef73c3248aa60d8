"""The command line: python -m ui serve | ingest | search | chat | slack | discord | evaluate | conversations

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
keys = typer.Typer(cls=Commands, help="Make, list and revoke API keys.", no_args_is_help=True)
app.add_typer(keys, name="keys")
profile = typer.Typer(cls=Commands, help="What is known of a user: see, export, rebuild, forget.", no_args_is_help=True)
taxonomy = typer.Typer(cls=Commands, help="Load the words that users are tagged with.", no_args_is_help=True)
app.add_typer(profile, name="profile")
app.add_typer(taxonomy, name="taxonomy")

catalogue = typer.Typer(cls=Commands, help="Fill the catalogue of what can be suggested.", no_args_is_help=True)
app.add_typer(catalogue, name="catalogue")

predictor = typer.Typer(cls=Commands, help="Predictions: how good they were, and learning anew.", no_args_is_help=True)
users = typer.Typer(cls=Commands, help="Load what the operator knows of users.", no_args_is_help=True)
app.add_typer(predictor, name="predictor")
app.add_typer(users, name="users")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else")]
Corpus = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="JSON lines: {id, title, text}")]
Queries = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="JSON lines: {id, text, history?, answer?}")]
Qrels = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Tab-separated: query-id, doc-id, relevance")]
Labelled = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="JSON lines: {text, label}")]
User = Annotated[str, typer.Argument(help="Whose conversations")]
Whom = Annotated[str, typer.Argument(help="A user's id")]
Sure = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")]
ConversationId = Annotated[str, typer.Argument(help="As `conversations list` shows it")]


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="ATTUNE_HOST or 127.0.0.1; in open mode a loopback address")] = None,
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


@app.command()
def slack() -> None:
    """Answer in Slack; docs/slack.md says how to set it up."""
    from ui.commands import on_slack as command

    command.run()


@app.command()
def discord() -> None:
    """Answer in Discord; docs/discord.md says how to set it up."""
    from ui.commands import on_discord as command

    command.run()


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


@evaluate.command("topics")
def evaluate_topics(
    train: Labelled,
    test: Labelled,
    shots: Annotated[int, typer.Option(help="Examples of each topic", min=1, max=1000)] = 10,
    predictions: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write {text, label, predicted, confidence} of the first draw")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Accuracy of topic inference, over five draws of examples; AUROC of abstaining where the test has `oos` texts."""
    from ui.commands import evaluate as command

    command.topics(train, test, shots=shots, predictions=predictions, as_json=as_json)


@evaluate.command("predict")
def evaluate_predict(
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="A table as CSV, with a header")],
    target: Annotated[str, typer.Option(help="The column to predict; it has two values")],
    drop: Annotated[list[str] | None, typer.Option(help="Columns to leave out: --drop a --drop b, or a,b")] = None,
    predictions: Annotated[Path | None, typer.Option(dir_okay=False, help="Write row,label,probability here")] = None,
    as_json: AsJson = False,
) -> None:
    """AUROC, log loss and calibration error of the predictor's own model on any table, out of five folds."""
    from ui.commands import evaluate as command

    command.predict(data, target, drop=drop or [], predictions=predictions, as_json=as_json)


@evaluate.command("recommend")
def evaluate_recommend(
    items: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="CSV or JSON lines: {id, title, facets…}")],
    interactions: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="… {user, item, rating?, ts}")],
    split: Annotated[str, typer.Option(help="user: each user's last part; time: all after one moment")] = "user",
    holdout: Annotated[float, typer.Option(help="The part that is the test", min=0.01, max=0.9)] = 0.2,
    run: Annotated[Path | None, typer.Option(dir_okay=False, help="Write {user, items} lines here, best first")] = None,
    as_json: AsJson = False,
) -> None:
    """nDCG@10, Recall@10 and coverage of the suggestions, with four baselines beside them."""
    from ui.commands import evaluate as command

    command.recommend(items, interactions, split=split, holdout=holdout, run=run, as_json=as_json)


@catalogue.command("load")
def load_catalogue(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV or JSON lines, one item a row")],
    facet: Annotated[list[str] | None, typer.Option(help="FACET=COLUMN, each; otherwise guessed")] = None,
    category: Annotated[str, typer.Option(help="Of items that name none")] = "article",
    as_json: AsJson = False,
) -> None:
    """Add and update items. Exit code 1: some rows were left out, each named by its line."""
    from ui.commands import catalogue as command

    raise typer.Exit(command.load(path, facets=facet or [], category=category, as_json=as_json))


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


@keys.command("create")
def create_key(
    user: Annotated[str, typer.Argument(help="The user id for whom the key acts")],
    name: Annotated[str, typer.Option(help="What it is for, to know it again in the list")] = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="user (the default), admin (acts for anyone), trusted-proxy (names its users in a header)"),
    ] = None,
    days: Annotated[int | None, typer.Option(help="Days until it expires; without it never", min=1)] = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and print it; it is not kept, and cannot be shown again."""
    from ui.commands import keys as command

    command.create(user, name=name, scopes=scope or ["user"], days=days, as_json=as_json)


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """Every key but its secret, the latest first."""
    from ui.commands import keys as command

    command.list_all(as_json=as_json)


@keys.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument(help="As `keys list` shows it")]) -> None:
    """End a key at once and for good."""
    from ui.commands import keys as command

    command.revoke(key_id)


@profile.command("show")
def show_profile(user: Whom, as_json: AsJson = False) -> None:
    """Personas, facts, preferences, tags and recent questions of a user."""
    from ui.commands import profile as command

    command.show(user, as_json=as_json)


@profile.command("export")
def export_profile(user: Whom) -> None:
    """Print everything that the database holds of a user, as JSON by table."""
    from ui.commands import profile as command

    command.export(user)


@profile.command("rebuild")
def rebuild_profile(user: Whom, as_json: AsJson = False) -> None:
    """Make a profile again from the ledger of its evidence, and show it."""
    from ui.commands import profile as command

    command.rebuild(user, as_json=as_json)


@profile.command("forget")
def forget_user(user: Whom, yes: Sure = False, as_json: AsJson = False) -> None:
    """Delete everything that is held of a user, and count it."""
    from ui.commands import profile as command

    command.forget(user, sure=yes, as_json=as_json)


@taxonomy.command("load")
def load_taxonomy(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="YAML: a list under `taxonomy`")],
    as_json: AsJson = False,
) -> None:
    """Add and change entries as a file says; all of them, or none and the reasons."""
    from ui.commands import taxonomy as command

    command.load(file, as_json=as_json)


@predictor.command("report")
def predictor_report(as_json: AsJson = False) -> None:
    """Calibration, AUROC and lift of the predictions, by rung and by week."""
    from ui.commands import predictor as command

    command.report(as_json=as_json)


@predictor.command("train")
def predictor_train(as_json: AsJson = False) -> None:
    """Learn from the log now; a new model serves only when it is better on later cases."""
    from ui.commands import predictor as command

    command.train(as_json=as_json)


@users.command("load")
def load_users(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV: user_id, and any further columns")],
    as_json: AsJson = False,
) -> None:
    """Load users from a table; age, gender, last_active, purchases and any further columns become features. Exit code
    1: some rows were left out, each named by its line."""
    from ui.commands import users as command

    raise typer.Exit(command.load(path, as_json=as_json))


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
