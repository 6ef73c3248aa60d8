"""The taxonomy is loaded whole or not at all, and says what is wrong with each entry."""

from pathlib import Path

import pytest

from tools.profile.errors import ProfileInputInvalid, TaxonomyInvalid
from tools.profile.model import CATEGORIES
from tools.profile.taxonomy import DEMO, Taxonomy, TaxonomyEntry, read_taxonomy

ARTICLES = Path(__file__).parents[3] / "knowledge_base" / "articles"


@pytest.fixture
def taxonomy(engine) -> Taxonomy:
    return Taxonomy(engine)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "taxonomy.yaml"
    path.write_text(text, "utf-8")
    return path


async def test_the_demo_loads_once_and_changes_nothing_twice(taxonomy):
    entries = read_taxonomy(DEMO)
    loaded = await taxonomy.load(entries)
    assert (loaded.added, loaded.changed, loaded.unchanged) == (len(entries), 0, 0)
    version = await taxonomy.version()
    again = await taxonomy.load(entries)
    assert (again.added, again.changed, again.unchanged) == (0, 0, len(entries))
    assert await taxonomy.version() == version
    assert {one.category for one in await taxonomy.entries()} == set(CATEGORIES)


def test_the_demo_knows_every_topic_of_the_articles():
    lines = (line for path in ARTICLES.rglob("*.md") for line in path.read_text("utf-8").splitlines()[:10])
    topics = {line.removeprefix("topic: ") for line in lines if line.startswith("topic: ")}
    assert topics <= {one.name for one in read_taxonomy(DEMO) if one.category == "topic"}


async def test_an_entry_comes_back_as_it_was_written(taxonomy, tmp_path):
    path = written(
        tmp_path,
        """
        taxonomy:
          - {name: Money, category: interest}
          - name: Escrow
            category: topic
            description: Money that is held
            examples: ["Where is my money?", "Where is my money?"]
            parents: [money]
            related: [Fees]
          - {name: Fees, category: topic, is_active: false}
        """,
    )
    await taxonomy.load(read_taxonomy(path))
    money, escrow = await taxonomy.entries()
    assert (money.name, money.category) == ("Money", "interest")
    assert (escrow.description, escrow.examples) == ("Money that is held", ("Where is my money?",))
    assert (escrow.parents, escrow.related) == (("Money",), ("Fees",))
    assert [one.name for one in await taxonomy.entries(active_only=False)] == ["Money", "Escrow", "Fees"]


async def test_a_load_changes_an_entry_of_the_same_name_and_its_links(taxonomy):
    await taxonomy.load([TaxonomyEntry("A", "topic"), TaxonomyEntry("B", "topic", parents=("A",))])
    before = {one.name: one.id for one in await taxonomy.entries()}
    loaded = await taxonomy.load([TaxonomyEntry("b", "goal", "Another")])
    assert (loaded.added, loaded.changed) == (0, 1)
    b, _a = await taxonomy.entries()
    assert (b.name, b.category, b.parents, b.id) == ("b", "goal", (), before["B"])


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{name: X}", "entry 2 (X): Expected category"),
        ("{name: X, category: colour}", "entry 2 (X): Expected category to be one of"),
        ("{category: topic}", "entry 2: Expected name"),
        ("{name: '', category: topic}", "entry 2: Expected name|entry 2 ()"),
        ("{name: X, category: topic, examples: one}", "entry 2 (X): Expected examples to be a list"),
        ("{name: X, category: topic, colour: red}", "entry 2 (X): Expected only"),
        ("{name: X, category: topic, is_active: maybe}", "entry 2 (X): Expected is_active"),
        ("just words", "entry 2: Expected name, category"),
    ],
)
def test_a_wrong_entry_is_named_with_what_is_wrong(tmp_path, entry, problem):
    path = written(tmp_path, f"taxonomy:\n  - {{name: Good, category: topic}}\n  - {entry}\n")
    with pytest.raises(TaxonomyInvalid) as refused:
        read_taxonomy(path)
    (found,) = refused.value.problems
    assert any(one in found for one in problem.split("|"))


@pytest.mark.parametrize("text", ["", "taxonomy: 3", "- a\n- b", "taxonomy: [", "\0"])
def test_a_file_of_another_kind_is_refused_in_words(tmp_path, text):
    with pytest.raises(TaxonomyInvalid, match="taxonomy"):
        read_taxonomy(written(tmp_path, text))


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ([TaxonomyEntry("A", "topic"), TaxonomyEntry("a", "goal")], "comes twice"),
        ([TaxonomyEntry("A", "topic", parents=("Nowhere",))], "'Nowhere', which is no entry"),
        (
            [TaxonomyEntry("A", "topic", parents=("B",)), TaxonomyEntry("B", "topic", parents=("A",))],
            "among its own parents",
        ),
    ],
)
async def test_a_load_with_a_problem_writes_nothing(taxonomy, entries, problem):
    with pytest.raises(TaxonomyInvalid, match=problem):
        await taxonomy.load([TaxonomyEntry("Good", "topic"), *entries])
    assert await taxonomy.entries() == []


async def test_articles_bring_their_topics_and_switch_none_on_again(taxonomy):
    assert await taxonomy.ensure_topics(["Escrow", "escrow ", "Fees", " "]) == 2
    assert await taxonomy.ensure_topics(["ESCROW", "Plans"]) == 1
    (escrow,) = [one for one in await taxonomy.entries() if one.name == "Escrow"]
    assert await taxonomy.set_active(escrow.id, False) is True
    await taxonomy.ensure_topics(["Escrow"])
    assert [one.name for one in await taxonomy.entries()] == ["Fees", "Plans"]
    assert await taxonomy.set_active(999, False) is False


async def test_an_administrator_adds_and_edits_entries(taxonomy):
    a = await taxonomy.add(TaxonomyEntry("A", "topic"))
    b = await taxonomy.add(TaxonomyEntry("B", "topic", parents=("A",)))
    with pytest.raises(ProfileInputInvalid, match="already"):
        await taxonomy.add(TaxonomyEntry("a", "goal"))
    await taxonomy.edit(TaxonomyEntry("New A", "goal", "Said better", id=a.id))
    with pytest.raises(ProfileInputInvalid, match="Another entry"):
        await taxonomy.edit(TaxonomyEntry("new a", "goal", id=b.id))
    with pytest.raises(TaxonomyInvalid, match="its own parents"):
        await taxonomy.edit(TaxonomyEntry("New A", "goal", parents=("B",), id=a.id))
    assert await taxonomy.edit(TaxonomyEntry("Nobody", "goal", id=999)) is None
    new_a, b_now = await taxonomy.entries()
    assert (new_a.id, new_a.name, new_a.description) == (a.id, "New A", "Said better")
    assert b_now.parents == ("New A",)
