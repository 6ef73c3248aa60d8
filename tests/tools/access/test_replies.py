"""A request runs once, whoever sends it again, and from wherever."""

import asyncio

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.access.replies import Answer, Claim, KeptReplies, OtherRequest, Request, Running
from tools.access.tables import idempotent_replies
from tools.database import now
from tools.profile.store import ProfileStore

ASKED = Request("user:ada", "key-1", "a" * 64)
SAID = Answer(200, "application/json", b'{"answer": "\xc3\xa9"}')


async def test_an_answer_is_given_again(engine: AsyncEngine):
    replies = KeptReplies(engine, lease=60)
    claim = await replies.claim(ASKED)
    assert isinstance(claim, Claim)
    assert isinstance(await replies.claim(ASKED), Running)
    await replies.keep(claim, SAID)
    assert await replies.claim(ASKED) == SAID


async def test_a_key_belongs_to_one_request_of_one_caller(engine: AsyncEngine):
    replies = KeptReplies(engine, lease=60)
    await replies.claim(ASKED)
    assert isinstance(await replies.claim(Request("user:ada", "key-1", "b" * 64)), OtherRequest)
    assert isinstance(await replies.claim(Request("user:bob", "key-1", "b" * 64)), Claim)


async def test_a_request_that_came_to_nothing_may_run_again(engine: AsyncEngine):
    replies = KeptReplies(engine, lease=60)
    claim = await replies.claim(ASKED)
    assert isinstance(claim, Claim)
    await replies.drop(claim)
    assert isinstance(await replies.claim(ASKED), Claim)


async def test_an_answer_goes_with_the_user_whom_it_is_about(engine: AsyncEngine):
    replies = KeptReplies(engine, lease=60)
    about = {"key-1": "ada", "key-2": "bob", "key-3": None}
    for key, user in about.items():
        claim = await replies.claim(Request("open", key, "a" * 64))
        assert isinstance(claim, Claim)
        await replies.keep(claim, SAID, user)
    forgotten = await ProfileStore(engine).forget("ada")
    assert (forgotten.before["idempotent_replies"], forgotten.after["idempotent_replies"]) == (1, 0)
    again = {key: isinstance(await replies.claim(Request("open", key, "a" * 64)), Claim) for key in about}
    assert again == {"key-1": True, "key-2": False, "key-3": False}


async def test_only_one_of_many_at_once_may_run(engine: AsyncEngine):
    replies = KeptReplies(engine, lease=60)
    found = await asyncio.gather(*(replies.claim(ASKED) for _ in range(20)))
    assert sum(isinstance(one, Claim) for one in found) == 1
    assert sum(isinstance(one, Running) for one in found) == 19


async def test_a_claim_of_a_process_that_died_ends(engine: AsyncEngine):
    replies = KeptReplies(engine, lease=60)
    lost = await replies.claim(ASKED)
    assert isinstance(lost, Claim)
    async with engine.begin() as connection:
        await connection.execute(update(idempotent_replies).values(expires_at=now()))
    claim = await replies.claim(ASKED)
    assert isinstance(claim, Claim)
    await replies.keep(lost, Answer(200, "", b"late"))  # it was not dead after all: too late
    assert isinstance(await replies.claim(ASKED), Running)
    await replies.keep(claim, SAID)
    assert await replies.claim(ASKED) == SAID


async def test_old_answers_go(engine: AsyncEngine):
    replies = KeptReplies(engine, lease=60)
    claim = await replies.claim(ASKED)
    assert isinstance(claim, Claim)
    await replies.keep(claim, SAID)
    async with engine.begin() as connection:
        await connection.execute(update(idempotent_replies).values(expires_at=now()))
    await replies.claim(Request("user:ada", "key-2", "c" * 64))
    async with engine.connect() as connection:
        count = (await connection.execute(select(func.count()).select_from(idempotent_replies))).scalar()
    assert count == 1
