"""What a user does and says adds up, once and for them alone; what they correct stays corrected."""

import asyncio
from collections.abc import Collection, Mapping

import pytest
from sqlalchemy import insert, select

from tools.conversations import ConversationStore
from tools.profile.errors import ProfileInputInvalid
from tools.profile.model import Facets, FactTold, Interaction, Learned, Lessons, Muted, Signal, TagSeen
from tools.profile.store import ProfileStore
from tools.profile.tables import evidence, interactions, preferences
from tools.profile.taxonomy import Taxonomy, TaxonomyEntry

ESCROW = Signal("topic", "Escrow", 0.5, "how does escrow work")
CATALOGUE = {"film": {"genre": ["Medical", "Drama"], "actor": ["A. Actor"]}, "guide": {"topic": ["Escrow"]}}


async def catalogue(item_ids: Collection[str]) -> Mapping[str, Facets]:
    return {one: CATALOGUE[one] for one in item_ids if one in CATALOGUE}


async def score(store: ProfileStore) -> float | None:
    """Ada's for escrow."""
    found = {(one.facet, one.value): one.score for one in (await store.read("ada")).preferences}
    return found.get(("topic", "Escrow"))


async def test_a_stranger_has_an_empty_profile(store):
    profile = await store.read("nobody")
    assert profile.is_empty
    assert (profile.interactions, profile.learning, profile.top()) == (0, True, ())


async def test_what_was_learned_shows_at_once_with_its_evidence(store, teach):
    learned = await teach(
        "m1",
        ESCROW,
        tags=[TagSeen("Escrow", 0.7, "how does escrow work")],
        facts=[FactTold("role", "designer", "I'm a designer")],
        text="I'm a designer, how does escrow work?",
    )
    profile = await store.read("ada")
    assert [(one.value, one.evidence) for one in profile.preferences] == [("Escrow", 1)]
    assert profile.preferences[0].score == pytest.approx(0.1)
    assert [(one.name, one.manual, one.confidence) for one in profile.tags] == [("Escrow", False, 0.7)]
    assert profile.fact("role") == "designer"
    assert profile.recent_questions == ("I'm a designer, how does escrow work?",)
    assert profile.interactions == 1
    found = await store.evidence("ada")
    assert {one.id for one in found} == {one.id for one in learned.evidence}
    assert {(one.kind, one.quote, one.message_id) for one in found} == {
        ("preference", "how does escrow work", "m1"),
        ("tag", "how does escrow work", "m1"),
        ("fact", "I'm a designer", "m1"),
    }


async def test_recent_questions_are_the_last_five_newest_first(store, teach):
    for number in range(7):
        await teach(f"m{number}", text=f"Question {number}?")
    assert (await store.read("ada")).recent_questions == tuple(f"Question {n}?" for n in (6, 5, 4, 3, 2))


async def test_a_message_is_learned_from_once_also_when_it_comes_many_times_at_once(store, teach):
    done = await asyncio.gather(*(teach("m1", ESCROW) for _ in range(8)))
    assert sum(one != Learned() for one in done) == 1
    profile = await store.read("ada")
    assert (profile.interactions, profile.preferences[0].evidence) == (1, 1)


async def test_nothing_is_kept_when_the_callers_transaction_fails(store, engine):
    conversations = ConversationStore(engine)

    async def store_both_and_fail() -> None:
        async with conversations.transaction() as connection:
            await conversations.append(connection, "ada", "c", "m", question="Q", reply="{}", channel="test")
            await store.learn(connection, "ada", Interaction("question"), Lessons([ESCROW]), message_id="m")
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        await store_both_and_fail()
    assert (await store.read("ada")).is_empty
    assert await conversations.transcript("c") == []


async def test_many_writers_at_once_lose_nothing(store, teach):
    await asyncio.gather(*(teach(f"m{n}", ESCROW, tags=[TagSeen("Escrow", 0.5)]) for n in range(64)))
    profile = await store.read("ada")
    assert profile.preferences[0].evidence == 64
    assert profile.preferences[0].score == pytest.approx(0.5 * (1 - 0.8**64))
    assert (profile.interactions, profile.tags[0].interactions, len(await store.evidence("ada"))) == (64, 64, 128)


async def test_different_writers_at_once_count_in_the_order_of_the_ledger(store, teach):
    signals = [Signal("topic", "Escrow", weight / 64, "q") for weight in range(-32, 32)]
    await asyncio.gather(*(teach(f"m{n}", signal) for n, signal in enumerate(signals)))
    before = await store.read("ada")
    assert (await store.rebuild("ada")).preferences[0].score == pytest.approx(before.preferences[0].score)


async def test_actions_count_for_everything_that_the_item_is_about(store):
    done = await store.record("ada", [Interaction("finish", "film")], facets_of=catalogue)
    assert (done.recorded, done.repeated, len(done.evidence)) == (1, 0, 3)
    profile = await store.read("ada")
    assert {(one.facet, one.value): one.score for one in profile.preferences} == pytest.approx(
        {("genre", "Medical"): 0.2, ("genre", "Drama"): 0.2, ("actor", "A. Actor"): 0.2}
    )
    assert {(one.source, one.quote) for one in done.evidence} == {("activity", "")}


async def test_actions_on_what_nobody_knows_are_kept_and_teach_nothing(store):
    done = await store.record("ada", [Interaction("save", "gone"), Interaction("search")], facets_of=catalogue)
    assert (done.recorded, done.evidence) == (2, ())
    kept = await store.interactions("ada")
    assert [one.type for _, one in kept] == ["search", "save"]


async def test_an_action_with_the_same_key_is_counted_once(store):
    saved = Interaction("save", "guide", key="k1")
    first = await store.record("ada", [saved, saved], facets_of=catalogue)
    done = await asyncio.gather(*(store.record("ada", [saved], facets_of=catalogue) for _ in range(4)))
    assert (first.recorded, first.repeated) == (1, 1)
    assert {(one.recorded, one.repeated) for one in done} == {(0, 1)}
    profile = await store.read("ada")
    assert (profile.interactions, profile.preferences[0].evidence) == (1, 1)
    assert (await store.record("bob", [saved], facets_of=catalogue)).recorded == 1


async def test_an_action_of_the_future_is_refused_and_nothing_of_its_batch_is_kept(store, clock):
    ahead = clock()
    clock.sleep(-1)
    with pytest.raises(ProfileInputInvalid, match="a time that has come") as refused:
        await store.record("ada", [Interaction("save", "guide"), Interaction("click", "guide", at=ahead)])
    assert refused.value.field == "at"
    assert (await store.read("ada")).interactions == 0


async def test_preferences_fade_while_nothing_happens(store, teach, clock):
    await teach("m1", Signal("topic", "Escrow", 1.0, "q"))
    assert await score(store) == pytest.approx(0.2)
    clock.sleep(days=90)
    assert await score(store) == pytest.approx(0.1)
    await teach("m2", Signal("topic", "Escrow", 1.0, "q"))
    assert await score(store) == pytest.approx(0.8 * 0.1 + 0.2)
    clock.sleep(days=365 * 200)
    assert await score(store) == pytest.approx(0)
    await teach("m3", Signal("topic", "Escrow", 1.0, "q"))
    assert await score(store) == pytest.approx(0.2)


async def test_a_weaker_signal_never_lowers_and_a_contrary_one_does(store, teach):
    for number in range(10):
        await teach(f"m{number}", Signal("topic", "Escrow", 1.0, "q"))
    high = (await store.read("ada")).preferences[0].score
    await store.record("ada", [Interaction("click", "guide")], facets_of=catalogue)
    assert await score(store) == pytest.approx(high)
    await store.record("ada", [Interaction("unsave", "guide")], facets_of=catalogue)
    assert await score(store) == pytest.approx(0.8 * high - 0.2 * 0.3)


async def test_offers_that_were_ignored_make_no_dislike_of_what_was_asked_about(store, teach):
    await teach("m1", ESCROW)
    await store.record("ada", [Interaction("save", "film")], facets_of=catalogue)
    ignored = [Interaction("ignore", "guide"), Interaction("ignore", "film")]
    for _ in range(20):
        await store.record("ada", ignored, facets_of=catalogue)
    assert {one.score for one in (await store.read("ada")).preferences} == {0}
    assert {one.score for one in (await store.rebuild("ada")).preferences} == {0}
    await store.record("ada", [Interaction("dismiss", "guide")], facets_of=catalogue)
    assert await score(store) == pytest.approx(-0.06)


async def test_an_undone_entry_counts_no_more_and_does_not_come_back(store, teach):
    await teach("m1", ESCROW)
    learned = await teach("m2", Signal("topic", "Escrow", 1.0, "Escrow, again"), tags=[TagSeen("Escrow", 0.9, "again")])
    for entry in learned.evidence:
        assert await store.undo("ada", entry.id) is not None
        assert await store.undo("ada", entry.id) is None
    profile = await store.read("ada")
    assert (profile.preferences[0].score, profile.preferences[0].evidence) == (pytest.approx(0.1), 1)
    assert profile.tags == ()
    for message_id in ("m2", "m3"):  # the same message, and the same words in another
        again = await teach(
            message_id, Signal("topic", "Escrow", 1.0, "escrow, AGAIN"), tags=[TagSeen("escrow", 1, "again")]
        )
        assert again.evidence == ()
    assert (await store.read("ada")).preferences[0].evidence == 1
    assert len((await teach("m4", Signal("topic", "Escrow", 1.0, "Other words"))).evidence) == 1


async def test_a_question_asked_anew_counts_once_when_the_first_is_taken_out(store, teach):
    await teach("m1", Signal("topic", "Fees", 0.5, "fees"))
    await teach("m2", ESCROW, tags=[TagSeen("Escrow", 0.7, "escrow")], text="Escrow?")
    await store.withdraw("bob", ["m2"])
    assert len((await store.read("ada")).preferences) == 2
    await store.withdraw("ada", ["m2"])
    assert [one.value for one in (await store.read("ada")).preferences] == ["Fees"]
    await teach("m3", ESCROW, tags=[TagSeen("Escrow", 0.7, "escrow")], text="Escrow?")
    profile = await store.read("ada")
    assert {one.value: one.evidence for one in profile.preferences} == {"Fees": 1, "Escrow": 1}
    assert profile.recent_questions == ("Escrow?", "a question")


async def test_what_messages_taught_is_known_until_it_is_undone(store, teach):
    (escrow, _) = (await teach("m1", ESCROW, Signal("topic", "Fees", 0.5, "fees"))).evidence
    await teach("m2", Signal("topic", "Fees", 0.4, "the fees"))
    await store.undo("ada", escrow.id)
    taught = await store.taught("ada", ["m1", "m2", "m3"])
    assert [(one.message_id, one.value) for one in taught] == [("m1", "Fees"), ("m2", "Fees")]
    assert await store.taught("bob", ["m1"]) == []
    assert await store.taught("ada", []) == []


async def test_nobody_undoes_what_is_anothers(store, teach):
    (entry,) = (await teach("m1", ESCROW)).evidence
    assert await store.undo("bob", entry.id) is None
    assert await score(store) == pytest.approx(0.1)


async def test_a_preference_without_evidence_is_gone(store, teach):
    (entry,) = (await teach("m1", ESCROW)).evidence
    await store.undo("ada", entry.id)
    assert (await store.read("ada")).preferences == ()
    (kept,) = await store.evidence("ada")
    assert kept.retracted_at is not None


async def test_a_later_fact_supersedes_and_its_undo_brings_the_earlier_back(store, teach):
    await teach("m1", facts=[FactTold("role", "designer", "I'm a designer")])
    learned = await store.remember("ada", FactTold("role", "developer", "I develop now"), message_id="m2")
    assert (await store.read("ada")).fact("role") == "developer"
    assert [one.value for one in await store.evidence("ada", facet="role")] == ["developer", "designer"]
    await store.undo("ada", learned.evidence[0].id)
    (fact,) = (await store.read("ada")).facts
    assert (fact.value, fact.quote) == ("designer", "I'm a designer")


async def test_what_is_muted_is_neither_used_nor_learned_until_it_is_unmuted(store, teach):
    await teach("m1", ESCROW, tags=[TagSeen("Escrow", 0.5)], facts=[FactTold("role", "designer", "q")])
    assert await store.mute("ada", "topic", " escrow ") == Muted("topic", "escrow")
    await store.mute("ada", "topic", "ESCROW")
    await store.mute("ada", "tag", "Escrow")
    await store.mute("ada", "role", "designer")
    profile = await store.read("ada")
    assert (profile.preferences, profile.tags, profile.facts) == ((), (), ())
    assert [(one.facet, one.value) for one in profile.muted] == [
        ("role", "designer"),
        ("tag", "Escrow"),
        ("topic", "escrow"),
    ]
    assert (await teach("m2", ESCROW, Signal("topic", "Fees", 0.5, "q"))).evidence[0].value == "Fees"
    assert await store.unmute("ada", "topic", "Escrow") is True
    assert await store.unmute("ada", "topic", "Escrow") is False
    assert await score(store) == pytest.approx(0.1)


async def test_with_learning_off_nothing_about_the_user_is_written(store, teach, engine):
    await teach("m1", ESCROW)
    await store.set_learning("ada", False)
    before = await store.export("ada")
    assert await teach("m2", ESCROW) == Learned()
    assert (await store.record("ada", [Interaction("save", "guide")], facets_of=catalogue)).recorded == 0
    assert await store.remember("ada", FactTold("role", "designer", "q"), message_id="m3") == Learned()
    after = await store.export("ada")
    assert after == before
    assert (await store.read("ada")).learning is False
    await store.set_learning("ada", True)
    assert (await teach("m4", ESCROW)).interaction_id is not None


async def test_learning_can_be_off_before_anything_is_known(store, teach):
    await store.set_learning("ada", False)
    assert await teach("m1", ESCROW) == Learned()
    assert (await store.read("ada")).is_empty


async def test_tags_typed_by_the_user_are_theirs_and_inferred_ones_join_them(store, teach, engine):
    await Taxonomy(engine).load([TaxonomyEntry("Design", "skill")])
    (tag,) = await store.add_tags("ada", ["  design "])
    assert (tag.name, tag.manual, tag.source, tag.confidence, tag.category) == ("design", True, "manual", 1.0, "skill")
    await teach("m1", tags=[TagSeen("Design", 0.4, "q"), TagSeen("Fees", 0.4, "q")])
    design, fees = (await store.read("ada")).tags
    assert (design.id, design.manual, design.interactions) == (tag.id, True, 2)
    assert (fees.manual, fees.category) == (False, None)
    (same,) = await store.add_tags("ada", ["Design"])
    assert same == design
    (mine,) = await store.add_tags("ada", ["FEES"])
    assert (mine.id, mine.manual, mine.confidence) == (fees.id, True, 1.0)


async def test_a_removed_tag_does_not_come_back_from_the_same_words(store, teach):
    await teach("m1", tags=[TagSeen("Fees", 0.4, "what are the fees")])
    (tag,) = (await store.read("ada")).tags
    assert await store.remove_tags("bob", [tag.id]) == 0
    assert await store.remove_tags("ada", [tag.id, 999]) == 1
    await teach("m2", tags=[TagSeen("Fees", 0.4, "What are the fees")])
    assert (await store.read("ada")).tags == ()
    assert [one.manual for one in await store.add_tags("ada", ["Fees"])] == [True]


async def test_a_user_types_a_tag_that_they_muted_and_has_it_again(store):
    await store.mute("ada", "tag", "Fees")
    assert [one.name for one in await store.add_tags("ada", ["fees"])] == ["fees"]


async def test_one_users_profile_is_no_part_of_anothers(store, teach):
    await teach("m1", ESCROW, user="ada")
    await teach("m1", Signal("topic", "Fees", 0.5, "q"), user="bob")
    assert [one.value for one in (await store.read("ada")).preferences] == ["Escrow"]
    assert [one.value for one in (await store.read("bob")).preferences] == ["Fees"]
    await store.rebuild("ada")
    await store.reset("ada")
    assert (await store.read("bob")).interactions == 1


async def test_a_reset_begins_anew_and_keeps_the_users_choices(store, teach):
    await teach("m1", ESCROW, tags=[TagSeen("Escrow", 0.5)], facts=[FactTold("role", "designer", "q")])
    await store.mute("ada", "topic", "Fees")
    removed = await store.reset("ada")
    assert removed == {"preferences": 1, "user_tags": 1, "facts": 1, "evidence": 3, "interactions": 1}
    profile = await store.read("ada")
    assert profile.is_empty
    assert (profile.interactions, profile.muted) == (0, (Muted("topic", "Fees"),))
    assert (await store.rebuild("ada")).is_empty


async def test_a_rebuild_mends_rows_that_went_wrong(store, teach, engine):
    await teach("m1", ESCROW)
    good = await store.read("ada")
    async with engine.begin() as connection:
        wrong = {"user_id": "ada", "facet": "topic", "value": "Lies", "score": 1.0, "evidence": 9, "seen_at": 0.0}
        await connection.execute(insert(preferences).values(wrong))
    assert await store.rebuild("ada") == good


async def test_the_strongest_preferences_come_first_and_dislikes_last(store, teach):
    await teach("m1", Signal("topic", "A", 0.2, "q"), Signal("topic", "B", -0.5, "q"), Signal("genre", "C", 0.9, "q"))
    profile = await store.read("ada")
    assert [one.value for one in profile.preferences] == ["C", "A", "B"]
    assert [one.value for one in profile.top("topic")] == ["A"]


async def test_words_that_databases_refuse_are_cleaned(store, teach):
    await teach("m1", Signal("to\0pic", "Esc\0row \ud800", 0.5, "q\0"), text="a\0b")
    (found,) = (await store.read("ada")).preferences
    assert found.value == "Escrow ?"


async def test_the_log_keeps_what_was_done_as_it_was_given(store, engine):
    rated = Interaction("rate", "guide", 8, {"where": {"page": 2}}, ["fees", "ärger"], key="k")
    await store.record("ada", [rated])
    ((number, kept),) = await store.interactions("ada")
    assert (kept.rating, kept.metadata, kept.keywords, kept.key) == (8, {"where": {"page": 2}}, ("fees", "ärger"), "k")
    async with engine.connect() as connection:
        assert (await connection.execute(select(interactions.c.id))).scalar() == number
        assert (await connection.execute(select(evidence.c.id))).all() == []
