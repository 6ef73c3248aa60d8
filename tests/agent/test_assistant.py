"""Whole turns on the real graph, search, stores and extractive model."""

import asyncio
import sqlite3
from contextlib import aclosing

import pytest

from agent import prompts
from agent.assistant import BUSY, Assistant, Turn
from agent.build import open_assistant
from agent.citations import cited
from agent.errors import ConversationNotFound, EmptyMessage, MessageTooLong
from agent.events import Failed, Token
from agent.settings import Settings
from knowledge_base.passage import Utterance
from knowledge_base.sentences import claim_bearing, units
from tests.agent.conftest import events_of, reply_in, reply_of
from tools.pool import DatabaseBusy

ESCROW = "When is the money in escrow released?"


async def test_a_question_is_answered_with_a_citation_of_the_right_article(assistant: Assistant):
    reply = await reply_of(assistant, ESCROW)
    assert reply.answered
    assert "7 days" in reply.answer
    assert reply.sources[0].title == "How escrow protects a payment"
    assert cited(reply.answer) == [source.number for source in reply.sources]
    assert all(source.quote in source.text for source in reply.sources)


async def test_every_claim_of_an_extractive_answer_is_cited(assistant: Assistant):
    for question in (ESCROW, "How do I reset my password?", "Who may approve a payment?"):
        answer = (await reply_of(assistant, question)).answer
        blocks = [line for line in answer.splitlines() if any(claim_bearing(unit.text) for unit in units(line))]
        assert blocks
        assert all(cited(block) for block in blocks), answer


async def test_the_events_of_a_turn_come_in_order(assistant: Assistant):
    events = await events_of(assistant, Turn("ada", ESCROW))
    kinds = [event.type for event in events]
    first_word = kinds.index("token")
    assert kinds[0] == "turn_started"
    looked_up = ["sources", *3 * ["tool_finished"], *3 * ["tool_started"]]
    assert sorted(kinds[1:first_word]) == looked_up
    assert set(kinds[first_word:-1]) <= {"token", "profile_updated"}
    assert kinds[-1] == "reply"
    streamed = "".join(event.text for event in events if isinstance(event, Token))
    assert streamed.strip() == reply_in(events).answer


async def test_what_the_documents_do_not_answer_is_said_so(assistant: Assistant):
    reply = await reply_of(assistant, "What is the best recipe for banana bread?")
    assert not reply.answered
    assert reply.sources


async def test_thousands_of_blanks_and_signs_hold_up_nobody(assistant: Assistant):
    text = "When is" + " \n" * 5_000 + "the money in escrow released" + "?!" * 4_000
    reply = await reply_of(assistant, text)
    (exchange,) = await assistant.transcript("ada", reply.conversation_id)
    assert reply.answered
    assert len(exchange.question) < 300


async def test_a_greeting_is_answered_without_sources(assistant: Assistant):
    reply = await reply_of(assistant, "Hello!")
    assert reply.answered
    assert (reply.sources, reply.follow_ups) == ([], [])


async def test_who_finds_fault_is_offered_other_articles_or_a_person(assistant: Assistant):
    first = await reply_of(assistant, ESCROW)
    sorry = await reply_of(assistant, "That's wrong", first.conversation_id)
    assert sorry.answer.startswith(prompts.NO_HELP)
    assert first.sources[0].title not in sorry.answer
    again = await reply_of(assistant, "still no help", first.conversation_id)
    assert again.answer == prompts.NO_HELP_AGAIN
    follow_up = await reply_of(assistant, "And how much can be funded?", first.conversation_id)
    assert "50 euros" in follow_up.answer


async def test_both_questions_of_a_message_are_answered(assistant: Assistant):
    reply = await reply_of(assistant, "How do I reset my password and who may approve a payment?")
    assert "Forgot password" in reply.answer
    assert "finance managers approve payments" in reply.answer
    assert {source.title for source in reply.sources} == {"Sign-in problems", "Team roles"}


async def test_what_of_a_message_was_not_found_is_named(assistant: Assistant):
    reply = await reply_of(assistant, "How do I reset my password and how do I cook rice?")
    assert reply.answered
    assert reply.answer.endswith(prompts.PART_NOT_FOUND.format(part="how do I cook rice?"))


async def test_a_follow_up_is_understood_and_a_new_subject_is_not_held_up(assistant: Assistant):
    first = await reply_of(assistant, ESCROW)
    second = await reply_of(assistant, "And how much can be funded?", first.conversation_id)
    assert "50 euros" in second.answer
    third = await reply_of(assistant, "How do I reset my password?", first.conversation_id)
    assert third.sources[0].title == "Sign-in problems"


async def test_a_stateless_caller_can_bring_its_history(assistant: Assistant):
    history = (Utterance("user", ESCROW), Utterance("assistant", "After 7 days."))
    events = await events_of(assistant, Turn("ada", "And how much can be funded?", history=history))
    assert "50 euros" in reply_in(events).answer


async def test_a_conversation_survives_a_restart(settings: Settings):
    async with open_assistant(settings) as assistant:
        first = await reply_of(assistant, ESCROW)
    async with open_assistant(settings) as assistant:
        second = await reply_of(assistant, "And how much can be funded?", first.conversation_id)
        transcript = await assistant.transcript("ada", first.conversation_id)
    assert "50 euros" in second.answer
    assert [exchange.reply for exchange in transcript] == [first, second]


async def test_a_lost_checkpoint_is_rebuilt_from_the_transcript(settings: Settings):
    async with open_assistant(settings) as assistant:
        first = await reply_of(assistant, ESCROW)
    for file in settings.data_dir.glob("checkpoints.db*"):
        file.unlink()
    async with open_assistant(settings) as assistant:
        second = await reply_of(assistant, "And how much can be funded?", first.conversation_id)
    assert "50 euros" in second.answer


async def test_the_state_of_a_long_conversation_stays_small(settings: Settings):
    async with open_assistant(settings) as assistant:
        reply = await reply_of(assistant, ESCROW)
        sizes = []
        for _ in range(15):
            await reply_of(assistant, ESCROW, reply.conversation_id)
            sizes.append(_checkpoint_bytes(settings))
    assert sizes[-1] < 1.02 * sizes[-5]


def _checkpoint_bytes(settings: Settings) -> int:
    with sqlite3.connect(settings.data_dir / "checkpoints.db") as connection:
        count, size = connection.execute("SELECT count(*), sum(length(checkpoint)) FROM checkpoints").fetchone()
    connection.close()
    assert count == 1
    return int(size)


async def test_a_stopped_turn_keeps_what_was_said_and_the_next_one_knows_it(assistant: Assistant):
    conversation = (await reply_of(assistant, "Who may approve a payment?")).conversation_id
    async with aclosing(assistant.stream(Turn("ada", ESCROW, conversation))) as events:
        async for event in events:
            if isinstance(event, Token):
                said = event.text.strip()
                break
    kept = (await assistant.transcript("ada", conversation))[-1]
    assert (kept.question, kept.reply.cut) == (ESCROW, True)
    assert kept.reply.answer.startswith(said)
    assert kept.reply.notices
    follow_up = await reply_of(assistant, "And how much can be funded?", conversation)
    assert "50 euros" in follow_up.answer


async def test_a_cancelled_turn_is_kept_too(assistant: Assistant):
    started = asyncio.Event()

    async def turn() -> None:
        async with aclosing(assistant.stream(Turn("ada", ESCROW))) as events:
            async for _ in events:
                started.set()
                await asyncio.sleep(60)

    task = asyncio.create_task(turn())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (conversation,) = await assistant.conversations("ada")
    (kept,) = await assistant.transcript("ada", conversation.id)
    assert kept.reply.cut


async def test_two_turns_of_one_conversation_are_put_in_order(assistant: Assistant):
    conversation = (await reply_of(assistant, ESCROW)).conversation_id
    questions = [f"Who may approve payment number {number}?" for number in range(4)]
    await asyncio.gather(*(reply_of(assistant, question, conversation) for question in questions))
    transcript = await assistant.transcript("ada", conversation)
    assert [exchange.question for exchange in transcript] == [ESCROW, *questions]


async def test_rewinding_lets_a_question_be_asked_again(assistant: Assistant):
    first = await reply_of(assistant, ESCROW)
    second = await reply_of(assistant, "Who may approve a payment?", first.conversation_id)
    await assistant.rewind("ada", first.conversation_id, second.message_id)
    again = await reply_of(assistant, "And how much can be funded?", first.conversation_id)
    assert "50 euros" in again.answer
    transcript = await assistant.transcript("ada", first.conversation_id)
    assert [exchange.message_id for exchange in transcript] == [first.message_id, again.message_id]


async def test_a_deleted_conversation_is_gone_from_every_store(settings: Settings, assistant: Assistant):
    reply = await reply_of(assistant, ESCROW)
    await assistant.rate("ada", reply.message_id, 1, "good")
    await assistant.delete_conversation("ada", reply.conversation_id)
    with pytest.raises(ConversationNotFound):
        await assistant.transcript("ada", reply.conversation_id)
    for name in ("attune.db", "checkpoints.db"):
        with sqlite3.connect(settings.data_dir / name) as connection:
            dump = "\n".join(connection.iterdump())
        connection.close()
        assert reply.conversation_id not in dump
        assert reply.message_id not in dump


async def test_one_user_cannot_reach_anothers_conversation(assistant: Assistant):
    reply = await reply_of(assistant, ESCROW)
    with pytest.raises(ConversationNotFound):
        await events_of(assistant, Turn("bob", "And then?", reply.conversation_id))
    for attempt in (
        assistant.transcript("bob", reply.conversation_id),
        assistant.delete_conversation("bob", reply.conversation_id),
        assistant.rewind("bob", reply.conversation_id, reply.message_id),
        assistant.rate("bob", reply.message_id, 1),
    ):
        with pytest.raises(ConversationNotFound):
            await attempt
    assert len(await assistant.transcript("ada", reply.conversation_id)) == 1


@pytest.mark.parametrize(("text", "error"), [("  \n", EmptyMessage), ("x" * 20_001, MessageTooLong)])
async def test_a_turn_that_cannot_be_run_is_refused_before_it_starts(assistant: Assistant, text: str, error: type):
    with pytest.raises(error):
        await events_of(assistant, Turn("ada", text))
    assert await assistant.conversations("ada") == []


async def test_a_rating_is_shown_with_its_message(assistant: Assistant):
    reply = await reply_of(assistant, ESCROW)
    await assistant.rate("ada", reply.message_id, -1)
    (exchange,) = await assistant.transcript("ada", reply.conversation_id)
    assert exchange.rating == -1


async def test_starters_are_questions_that_the_documents_answer(assistant: Assistant):
    starters = await assistant.starters()
    assert len(starters) == 3
    replies = [await reply_of(assistant, starter) for starter in starters]
    assert all(reply.answered for reply in replies)


class Overloaded:
    """A transcript whose every database connection is in use."""

    async def find(self, user_id: str, conversation_id: str) -> None:
        raise DatabaseBusy("Too much at once.")


async def test_a_database_that_is_too_busy_ends_the_turn_with_a_plain_event(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(assistant, "_conversations", Overloaded())
    (failed,) = await events_of(assistant, Turn("ada", ESCROW, "c1"))
    assert isinstance(failed, Failed)
    assert (failed.code, failed.message, failed.retryable) == (BUSY, "Too much at once.", True)
    with pytest.raises(DatabaseBusy, match="Too much at once"):
        await assistant.reply(Turn("ada", ESCROW, "c1"))


async def test_an_answer_that_cannot_be_stored_for_now_says_so_and_is_kept_nowhere(
    assistant: Assistant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async def keep(*_: object, **__: object) -> None:
        raise DatabaseBusy("Too much at once.")

    monkeypatch.setattr(assistant._nodes._learner, "keep", keep)
    events = await events_of(assistant, Turn("ada", ESCROW))
    assert isinstance(events[-1], Failed)
    assert events[-1].code == BUSY
    assert await assistant.conversations("ada") == []
    assert "every database connection was in use" in caplog.text
