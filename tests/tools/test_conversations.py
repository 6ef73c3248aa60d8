"""The transcript keeps what it was given, in order, and shows it to nobody else."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.conversations import TITLE_CHARS, ConversationStore, NotTheirs


@pytest.fixture
async def store(engine: AsyncEngine) -> ConversationStore:
    return ConversationStore(engine)


async def _append(store: ConversationStore, user: str, conversation: str, message_id: str, question: str) -> None:
    async with store.transaction() as connection:
        await store.append(connection, user, conversation, message_id, question=question, reply="{}", channel="test")


async def _say(store: ConversationStore, message_id: str, *, user: str = "ada", conversation: str = "c") -> None:
    await _append(store, user, conversation, message_id, f"Q {message_id}")


async def test_exchanges_come_back_in_order(store):
    for number in range(4):
        await _say(store, str(number))
    assert [kept.message_id for kept in await store.transcript("c")] == ["0", "1", "2", "3"]
    assert [kept.message_id for kept in await store.transcript("c", last=2)] == ["2", "3"]
    found = await store.find("ada", "c")
    assert (found.exchanges, found.last_message_id, found.title) == (4, "3", "Q 0")


async def test_the_list_is_newest_first_and_one_users_own(store):
    await _say(store, "1", conversation="first")
    await _say(store, "2", conversation="second")
    await _say(store, "3", user="bob", conversation="his")
    await _say(store, "4", conversation="first")
    assert [kept.id for kept in await store.of_user("ada", 10)] == ["first", "second"]
    assert [kept.id for kept in await store.of_user("ada", 1)] == ["first"]


async def test_another_user_neither_sees_nor_deletes_nor_rates(store):
    await _say(store, "1")
    assert await store.find("bob", "c") is None
    assert await store.delete("bob", "c") is None
    assert await store.rate("bob", "1", 1, "") is False
    assert len(await store.transcript("c")) == 1


async def test_another_user_cannot_write_into_a_conversation(store):
    await _say(store, "1")
    with pytest.raises(NotTheirs, match="another user"):
        await _say(store, "2", user="bob")
    assert [kept.message_id for kept in await store.transcript("c")] == ["1"]


async def test_deleting_takes_exchanges_and_ratings_along(store):
    await _say(store, "1")
    await store.rate("ada", "1", 1, "good")
    assert sorted(await store.delete("ada", "c")) == ["1"]
    assert await store.transcript("c") == []
    await _say(store, "1")
    assert (await store.transcript("c"))[0].rating is None


async def test_rewinding_removes_this_exchange_and_all_after_it(store):
    for number in range(4):
        await _say(store, str(number))
    assert sorted(await store.rewind("c", "2")) == ["2", "3"]
    found = await store.find("ada", "c")
    assert (found.exchanges, found.last_message_id) == (2, "1")
    assert await store.rewind("c", "2") == []


async def test_a_conversation_rewound_to_its_beginning_can_go_on(store):
    await _say(store, "1")
    await store.rewind("c", "1")
    await _say(store, "2")
    found = await store.find("ada", "c")
    assert (found.exchanges, found.last_message_id) == (1, "2")


async def test_a_rating_is_replaced_and_withdrawn(store):
    await _say(store, "1")
    for rating, kept in ((1, 1), (-1, -1), (0, None)):
        assert await store.rate("ada", "1", rating, "") is True
        assert (await store.transcript("c"))[0].rating == kept


async def test_many_exchanges_at_once_lose_nothing(store):
    await _say(store, "first", conversation="c0")
    await asyncio.gather(*(_say(store, f"{n}", conversation=f"c{n % 8}") for n in range(64)))
    counts = [len(await store.transcript(f"c{n}")) for n in range(8)]
    assert sum(counts) == 65


async def test_an_exchange_is_stored_with_its_transaction_or_not_at_all(store):
    async def append_and_fail() -> None:
        async with store.transaction() as connection:
            await store.append(connection, "ada", "c", "2", question="Q", reply="{}", channel="test")
            raise RuntimeError("what was to be stored beside it cannot be")

    await _say(store, "1")
    with pytest.raises(RuntimeError):
        await append_and_fail()
    assert [kept.message_id for kept in await store.transcript("c")] == ["1"]


async def test_a_long_question_makes_a_short_title(store):
    await _append(store, "ada", "c", "1", "why \n " * 200)
    found = await store.find("ada", "c")
    assert len(found.title) <= TITLE_CHARS + 1
    assert "\n" not in found.title


async def test_learning_is_switched_for_one_conversation_by_its_owner(store):
    await _say(store, "1")
    await _say(store, "2", conversation="other")
    assert (await store.find("ada", "c")).learning
    assert await store.set_learning("ada", "c", False)
    assert not await store.set_learning("bob", "c", True)
    assert not (await store.find("ada", "c")).learning
    assert (await store.find("ada", "other")).learning
    await _say(store, "3")
    assert not (await store.find("ada", "c")).learning
