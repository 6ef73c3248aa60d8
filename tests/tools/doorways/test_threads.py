"""A thread knows its conversations, and who spoke last."""

from sqlalchemy.ext.asyncio import AsyncEngine

from tools.doorways.threads import Stretch, ThreadStore


async def test_the_newest_conversation_is_the_one_last_spoken_in(engine: AsyncEngine) -> None:
    threads = ThreadStore(engine)
    assert await threads.stretches("slack:T:C:1") == []
    for conversation, account in (("a", "slack:T:U1"), ("b", "slack:T:U2"), ("a", "slack:T:U1")):
        await threads.spoke("slack:T:C:1", conversation, account)
    await threads.spoke("slack:T:C:2", "c", "slack:T:U1")
    assert await threads.stretches("slack:T:C:1") == [Stretch("b", "slack:T:U2"), Stretch("a", "slack:T:U1")]
    assert await threads.stretches("slack:T:C:1", last=1) == [Stretch("a", "slack:T:U1")]
