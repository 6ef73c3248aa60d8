"""What two accounts have is one person's while they are linked, and each account's own again afterwards."""

from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.conversations import ConversationStore
from tools.doorways.threads import ThreadStore
from tools.identities.accounts import Account
from tools.identities.ownership import MOVED, RowOwnership
from tools.identities.store import IdentityStore
from tools.profile import held
from tools.profile.model import Interaction, Lessons, Signal
from tools.profile.store import ProfileStore

WEB, SLACK, DISCORD = Account("web", "ada"), Account("slack", "T1:U1"), Account("discord", "42")

Say = Callable[[Account, str], Coroutine[Any, Any, str]]


@pytest.fixture
def profiles(engine: AsyncEngine) -> ProfileStore:
    return ProfileStore(engine)


@pytest.fixture
def identities(engine: AsyncEngine, profiles: ProfileStore) -> IdentityStore:
    return IdentityStore(engine, ownership=RowOwnership(profiles))


@pytest.fixture
def conversations(engine: AsyncEngine) -> ConversationStore:
    return ConversationStore(engine)


@pytest.fixture
def say(
    engine: AsyncEngine, profiles: ProfileStore, identities: IdentityStore, conversations: ConversationStore
) -> Say:
    """A turn of this account: a new conversation with one exchange, from which one topic is learned."""

    async def turn(account: Account, topic: str) -> str:
        user_id = await identities.user_of(account)
        conversation_id, message_id = uuid4().hex, uuid4().hex
        await identities.spoke(account, user_id, conversation_id)
        lessons = Lessons([Signal("topic", topic, 0.8, topic)])
        async with engine.begin() as connection:
            await conversations.append(
                connection, user_id, conversation_id, message_id, question=topic, reply="{}", channel=account.doorway
            )
            await profiles.learn(connection, user_id, Interaction("question"), lessons, message_id=message_id)
        return conversation_id

    return turn


async def join(identities: IdentityStore, account: Account, to: Account) -> str:
    return (await identities.redeem(account, (await identities.issue(to)).code)).id


async def topics(profiles: ProfileStore, user_id: str) -> set[str]:
    return {one.value for one in (await profiles.read(user_id)).preferences}


async def test_linked_accounts_share_a_profile_and_get_their_own_back(
    say: Say, profiles: ProfileStore, identities: IdentityStore
) -> None:
    await say(WEB, "payments")
    await say(SLACK, "security")
    before = {one: await profiles.evidence(one) for one in ("ada", "slack:T1:U1")}
    link = await join(identities, SLACK, WEB)
    assert await topics(profiles, "ada") == {"payments", "security"}
    assert (await profiles.read("ada")).interactions == 2
    assert await topics(profiles, "slack:T1:U1") == set()
    await identities.unlink(WEB, link)
    assert {one: await profiles.evidence(one) for one in before} == before
    assert await topics(profiles, "ada") == {"payments"}
    assert await topics(profiles, "slack:T1:U1") == {"security"}
    assert (await profiles.read("slack:T1:U1")).interactions == 1


@pytest.mark.parametrize("reverse", [False, True])
async def test_what_was_said_while_linked_goes_to_who_said_it(
    reverse: bool, say: Say, profiles: ProfileStore, identities: IdentityStore
) -> None:
    link = await join(identities, *((WEB, SLACK) if reverse else (SLACK, WEB)))
    await say(WEB, "payments")
    await say(SLACK, "security")
    assert await topics(profiles, "ada") == {"payments", "security"}
    await identities.unlink(SLACK, link)
    assert await topics(profiles, "ada") == {"payments"}
    assert await topics(profiles, "slack:T1:U1") == {"security"}


async def test_conversations_go_with_their_account(
    say: Say, identities: IdentityStore, conversations: ConversationStore
) -> None:
    first = await say(SLACK, "security")
    link = await join(identities, SLACK, WEB)
    second = await say(SLACK, "audits")
    own = await say(WEB, "payments")
    assert {one.id for one in await conversations.of_user("ada", 10)} == {first, second, own}
    await identities.unlink(SLACK, link)
    assert {one.id for one in await conversations.of_user("ada", 10)} == {own}
    assert {one.id for one in await conversations.of_user("slack:T1:U1", 10)} == {first, second}


async def test_in_a_chain_only_what_hangs_below_the_link_leaves(
    say: Say, profiles: ProfileStore, identities: IdentityStore
) -> None:
    for account, topic in ((WEB, "payments"), (SLACK, "security"), (DISCORD, "gaming")):
        await say(account, topic)
    below = await join(identities, DISCORD, SLACK)
    above = await join(identities, SLACK, WEB)
    assert await topics(profiles, "ada") == {"payments", "security", "gaming"}
    await identities.unlink(WEB, below)
    assert await topics(profiles, "ada") == {"payments", "security"}
    assert await topics(profiles, "discord:42") == {"gaming"}
    await identities.unlink(WEB, above)
    assert await topics(profiles, "slack:T1:U1") == {"security"}
    assert await topics(profiles, "discord:42") == {"gaming"}


async def test_a_part_that_leaves_takes_its_own_links_along(
    say: Say, profiles: ProfileStore, identities: IdentityStore
) -> None:
    for account, topic in ((WEB, "payments"), (SLACK, "security"), (DISCORD, "gaming")):
        await say(account, topic)
    await join(identities, DISCORD, SLACK)
    above = await join(identities, SLACK, WEB)
    await say(DISCORD, "music")
    await identities.unlink(WEB, above)
    assert await topics(profiles, "ada") == {"payments"}
    assert await topics(profiles, "slack:T1:U1") == {"security", "gaming", "music"}


async def test_what_was_undone_or_muted_on_one_account_stays_so(
    say: Say, profiles: ProfileStore, identities: IdentityStore
) -> None:
    await say(SLACK, "security")
    [entry] = await profiles.evidence("slack:T1:U1")
    await profiles.undo("slack:T1:U1", entry.id)
    await profiles.mute("slack:T1:U1", "topic", "gossip")
    await join(identities, SLACK, WEB)
    await say(WEB, "security")
    await say(WEB, "gossip")
    await say(WEB, "payments")
    assert await topics(profiles, "ada") == {"payments"}


async def test_learning_that_is_off_anywhere_is_off(
    say: Say, profiles: ProfileStore, identities: IdentityStore
) -> None:
    await profiles.set_learning("slack:T1:U1", on=False)
    await say(WEB, "payments")
    link = await join(identities, SLACK, WEB)
    await say(WEB, "security")
    assert await topics(profiles, "ada") == {"payments"}
    await identities.unlink(WEB, link)
    assert not (await profiles.read("slack:T1:U1")).learning


async def test_the_same_key_on_both_accounts_loses_nothing(profiles: ProfileStore, identities: IdentityStore) -> None:
    for user_id in ("ada", "slack:T1:U1"):
        await profiles.record(user_id, [Interaction("click", item_id=user_id, key="1")])
    link = await join(identities, SLACK, WEB)
    await identities.unlink(WEB, link)
    for user_id in ("ada", "slack:T1:U1"):
        assert [one.item_id for _, one in await profiles.interactions(user_id)] == [user_id]


async def test_linking_twice_over_is_as_good_as_once(
    say: Say, profiles: ProfileStore, identities: IdentityStore
) -> None:
    await say(SLACK, "security")
    for _ in range(3):
        await identities.unlink(WEB, await join(identities, SLACK, WEB))
    await join(identities, SLACK, WEB)
    assert await topics(profiles, "ada") == {"security"}


async def test_forgetting_a_person_leaves_nothing_of_their_accounts(
    say: Say, profiles: ProfileStore, identities: IdentityStore, engine: AsyncEngine
) -> None:
    await profiles.mute("slack:T1:U1", "topic", "My divorce")
    for user_id in ("ada", "slack:T1:U1"):  # the same key: this row stays with its account
        await profiles.record(user_id, [Interaction("search", key="1", metadata={"query": "lawyers"})])
    await say(SLACK, "security")
    await join(identities, SLACK, WEB)
    await join(identities, DISCORD, SLACK)
    await say(DISCORD, "audits")
    await ThreadStore(engine).spoke("slack:T1:C1:1", "c1", "slack:T1:U1")
    held_of = await profiles.export("ada")
    assert {row["user_id"] for row in held_of["identity_links"]} == {"slack:T1:U1", "discord:42"}
    assert len(held_of["interactions"]) == 4
    forgotten = await profiles.forget("ada")
    assert forgotten.before == {name: len(rows) for name, rows in held_of.items()}
    assert set(forgotten.after.values()) == {0}
    async with engine.connect() as connection:
        left = await held.counts(connection, ["ada", "slack:T1:U1", "discord:42"])
    assert not any(left.values())
    assert await identities.user_of(SLACK) == "slack:T1:U1"


async def test_forgetting_an_account_leaves_the_person_it_was_linked_to(
    say: Say, profiles: ProfileStore, identities: IdentityStore
) -> None:
    await say(WEB, "payments")
    await join(identities, SLACK, WEB)
    await profiles.forget("slack:T1:U1")
    assert await topics(profiles, "ada") == {"payments"}
    assert await identities.user_of(SLACK) == "slack:T1:U1"


def test_every_table_of_users_was_thought_of() -> None:
    """A new table either moves with its user, follows from one that does, or says here why it stays."""
    moved = {one.table.name for one in MOVED}
    with_their_parent = {"exchanges", "feedback"}
    made_again = {"preferences", "user_tags", "facts"}
    united = {"profiles", "mutes"}
    of_the_account = {"api_keys", "user_attributes", "identity_links", "link_codes", "link_attempts", "row_origins"}
    of_the_account |= {"doorway_threads", "idempotent_replies"}
    known = moved | with_their_parent | made_again | united | of_the_account
    assert {table.name for table in held.tables_of_users()} - known == set()
