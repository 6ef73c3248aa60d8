"""One query reads what users asked, did and were said to be, from every database alike."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.conversations import ConversationStore
from tools.database import exchanges, now
from tools.predictor.history import IN_TURN, HistoryReader
from tools.predictor.users import UserStore
from tools.profile.model import Interaction, InteractionType, Lessons
from tools.profile.store import ProfileStore


async def _ask(
    engine: AsyncEngine,
    user: str,
    message: str,
    question: str,
    *,
    answered: bool = True,
    logged_as: InteractionType = "question",
) -> None:
    conversations, profiles = ConversationStore(engine), ProfileStore(engine)
    asked = Interaction(
        logged_as, metadata={"conversation_id": f"c-{user}", "message_id": message, "topics": ["Escrow"]}
    )
    async with conversations.transaction() as connection:
        await conversations.append(
            connection, user, f"c-{user}", message, question=question, reply="{}", channel="slack", answered=answered
        )
        await profiles.learn(connection, user, asked, Lessons(), message_id=message)


async def test_a_question_counts_once_with_its_words_its_rating_and_its_topics(engine: AsyncEngine):
    await _ask(engine, "ada", "m1", "How does escrow work?", answered=False)
    await ConversationStore(engine).rate("ada", "m1", -1, "")
    (event,) = (await HistoryReader(engine).read(["ada"]))["ada"].events
    assert (event.type, event.key, event.channel, event.answered) == ("question", "m1", "slack", False)
    assert (event.words, event.chars) == (frozenset({"escrow", "work"}), len("How does escrow work?"))
    assert (event.rating, event.topics) == (-1, ("Escrow",))
    assert abs(event.rated_at - now().timestamp()) < 60
    assert abs(event.at - now().timestamp()) < 60


async def test_small_talk_is_no_question(engine: AsyncEngine):
    await _ask(engine, "ada", "m1", "How does escrow work?")
    await _ask(engine, "ada", "m2", "Thanks!", logged_as="conversation")
    (asked, thanked) = (await HistoryReader(engine).read(["ada"]))["ada"].events
    assert (asked.type, thanked.type) == ("question", "conversation")


async def test_what_was_done_stands_between_what_was_asked(engine: AsyncEngine):
    await _ask(engine, "ada", "m1", "How does escrow work?")
    done = [Interaction("save", "film", keywords=("doctors",)), Interaction("search", metadata={"query": "A person!"})]
    await ProfileStore(engine).record("ada", done)
    await _ask(engine, "ada", "m2", "Can I talk to a human?")
    events = (await HistoryReader(engine).read(["ada"]))["ada"].events
    assert [event.type for event in events] == ["question", "save", "search", "question"]
    assert (events[1].item_id, events[1].topics) == ("film", ("doctors",))
    assert events[2].words == {"person"}
    assert [event.wants_person for event in events] == [False, False, False, True]


async def test_many_are_read_each_with_their_own_and_the_unknown_are_empty(engine: AsyncEngine):
    await _ask(engine, "ada", "m1", "How does escrow work?")
    await _ask(engine, "bob", "m2", "What does it cost?")
    await UserStore(engine).load({"bob": {"age": 41}, "cid": {"plan": "team"}})
    found = await HistoryReader(engine).read(["ada", "bob", "cid", "dan"])
    assert {user: [event.key for event in one.events] for user, one in found.items()} == {
        "ada": ["m1"],
        "bob": ["m2"],
        "cid": [],
        "dan": [],
    }
    assert [found[user].attributes for user in ("ada", "bob", "cid")] == [None, {"age": 41}, {"plan": "team"}]
    assert [one.known for one in found.values()] == [True, True, True, False]


async def test_of_one_user_only_the_newest_are_read_and_nothing_that_is_long_ago(engine: AsyncEngine):
    conversations = ConversationStore(engine)
    async with conversations.transaction() as connection:
        await conversations.append(connection, "ada", "c-ada", "m0", question="Question 0", reply="{}", channel="api")
    async with engine.begin() as connection:
        rows = [
            {
                "message_id": f"m{number}",
                "conversation_id": "c-ada",
                "position": number + 1,
                "channel": "api",
                "question": f"Question {number}",
                "reply": "{}",
                "answered": True,
                "created_at": datetime.now(UTC) + timedelta(seconds=number),
            }
            for number in range(1, IN_TURN + 20)
        ]
        old = rows[0] | {"message_id": "old", "position": 900, "created_at": now() - timedelta(days=500)}
        await connection.execute(insert(exchanges), [*rows, old])
    reader = HistoryReader(engine)
    one = (await reader.read(["ada"]))["ada"].events
    assert [event.key for event in one] == [f"m{number}" for number in range(20, IN_TURN + 20)]
    both = (await reader.read(["ada", "bob"]))["ada"].events
    assert [event.key for event in both] == [f"m{number}" for number in range(IN_TURN + 20)]
