"""The bot in Slack, as its users meet it: real Bolt, real sockets, a Slack on loopback."""

import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.assistant import Turn
from agent.events import Event, Failed, Notice, Token, Used
from tests.fakes import DEFAULT_ANSWER, STARTERS, Rating, ScriptedAssistant, play, source
from tests.ui.slack_bot.conftest import BotOf
from tests.ui.slack_bot.slack_double import (
    BOT_ID,
    BOT_USER,
    SlackDouble,
    click,
    direct,
    event,
    in_channel,
    limited,
    mention,
    refused,
)
from tests.ui.until import quiet, until
from tools.pool import DatabaseBusy
from tools.profile.store import ProfileStore
from ui.bot_words import IN_PRIVATE, NOT_YOURS, THANKS
from ui.slack_bot.blocks import FEEDBACK, PRIVATELY
from ui.slack_bot.bot import PRIVATE_ONLY, SlackBot

LINKED = DEFAULT_ANSWER.replace("[1]", "[[1]](https://help.example/article-1#section-1)").replace(
    "[2]", "[[2]](https://help.example/article-2#section-2)"
)


def done(slack: SlackDouble, replies: int = 1) -> Callable[[], bool]:
    return lambda: [one.state for one in slack.replies()] == ["done"] * replies


async def test_a_mention_is_answered_in_its_thread(slack: SlackDouble, bot: SlackBot, assistant: ScriptedAssistant):
    asked = mention("How does escrow work?")
    await slack.push(asked)
    await until(done(slack))
    [reply] = slack.replies()
    assert (reply.channel, reply.thread_ts) == ("C1", asked["event"]["ts"])
    assert reply.shown == LINKED
    assert [task["status"] for task in reply.tasks.values()] == ["complete"]
    assert [one["url"] for one in reply.tasks["call-1"]["sources"]] == [source(1).url, source(2).url]
    assert reply.tasks["call-1"]["output"] == "2 passages from 2 articles"
    assert (
        "<https://help.example/article-1#section-1|Article 1 › Section 1>"
        in reply.block("context")["elements"][0]["text"]
    )
    [turn] = assistant.turns
    assert (turn.user_id, turn.text, turn.channel, turn.public) == (
        "slack:T1:U1",
        "How does escrow work?",
        "slack",
        True,
    )


async def test_the_event_is_acknowledged_before_the_answer_is_there(slack: SlackDouble, bot_of: BotOf):
    async with bot_of(ScriptedAssistant(lambda turn: play("Yes."), pause=0.3)):
        envelope = await slack.push(mention("How?"))
        await until(lambda: envelope in slack.acks)
        assert not slack.called("chat.stopStream")
        await until(done(slack))


async def test_a_direct_message_is_private_and_suggests_what_to_ask_next(
    slack: SlackDouble, bot: SlackBot, assistant: ScriptedAssistant
):
    await slack.push(direct("How does escrow work?"))
    await until(lambda: slack.called("assistant.threads.setSuggestedPrompts"))
    assert [turn.public for turn in assistant.turns] == [False]
    [suggested] = slack.called("assistant.threads.setSuggestedPrompts")
    assert suggested["prompts"][0]["message"] == "When is the money released?"
    assert "thread_ts" not in suggested
    assert not any(block["type"] == "actions" for block in slack.replies()[0].blocks)


async def test_the_opened_messages_tab_suggests_first_questions(slack: SlackDouble, bot: SlackBot):
    await slack.push(event("app_home_opened", tab="home", channel="D1"))
    await slack.push(event("app_home_opened", tab="messages", channel="D1"))
    await until(lambda: slack.called("assistant.threads.setSuggestedPrompts"))
    await quiet()
    [suggested] = slack.called("assistant.threads.setSuggestedPrompts")
    assert [one["message"] for one in suggested["prompts"]] == STARTERS


async def test_follow_ups_in_a_joined_thread_need_no_mention(
    slack: SlackDouble, bot: SlackBot, assistant: ScriptedAssistant
):
    asked = mention("How does escrow work?")
    await slack.push(asked)
    await until(done(slack))
    thread = asked["event"]["ts"]
    await slack.push(in_channel("And who pays?", thread_ts=thread))
    await until(done(slack, 2))
    assert [turn.text for turn in assistant.turns] == ["How does escrow work?", "And who pays?"]
    assert assistant.turns[1].conversation_id == "conversation-1"


async def test_talk_that_is_not_for_the_bot_is_left_alone(
    slack: SlackDouble, bot: SlackBot, assistant: ScriptedAssistant
):
    asked = mention("How does escrow work?")
    await slack.push(asked)
    await until(done(slack))
    thread = asked["event"]["ts"]
    await slack.push(in_channel("lunch?"))
    await slack.push(in_channel("lunch?", thread_ts="1500000000.000001"))
    await slack.push(in_channel("<@U2> what do you think?", thread_ts=thread))
    await slack.push(in_channel(f"<@{BOT_USER}> this comes as a mention, too", thread_ts=thread))
    await slack.push(in_channel("", thread_ts=thread, subtype="message_changed", message={"text": "edited"}))
    await slack.push(in_channel("beep", thread_ts=thread, bot_id="B7", user="U7"))
    await slack.push(in_channel("my own words", thread_ts=thread, bot_id=BOT_ID, user=BOT_USER))
    await slack.push(direct("beep", bot_id="B7"))
    await slack.push(mention("beep", bot_profile={"id": "B7"}))
    await quiet()
    assert len(assistant.turns) == 1


async def test_a_second_speaker_of_a_thread_goes_on_where_the_first_was(
    slack: SlackDouble, bot: SlackBot, assistant: ScriptedAssistant
):
    asked = mention("How does escrow work?")
    await slack.push(asked)
    await until(done(slack))
    thread = asked["event"]["ts"]
    await slack.push(in_channel("And for teams?", thread_ts=thread, user="U2"))
    await until(done(slack, 2))
    await slack.push(in_channel("Thanks. And the fee?", thread_ts=thread, user="U1"))
    await until(done(slack, 3))
    _, second, third = assistant.turns
    assert (second.user_id, second.conversation_id) == ("slack:T1:U2", None)
    assert second.history[0].text == "How does escrow work?"
    assert [said.text for said in third.history if said.role == "user"] == ["How does escrow work?", "And for teams?"]


async def test_threads_do_not_hear_each_other(slack: SlackDouble, bot: SlackBot, assistant: ScriptedAssistant):
    await slack.push(mention("How does escrow work?"))
    await until(done(slack))
    await slack.push(mention("And who pays?"))
    await until(done(slack, 2))
    assert [(turn.conversation_id, turn.history) for turn in assistant.turns] == [(None, ()), (None, ())]


async def test_an_event_that_is_delivered_again_is_answered_once(
    slack: SlackDouble, bot_of: BotOf, assistant: ScriptedAssistant
):
    slow = ScriptedAssistant(pause=0.02)
    asked = mention("How?")
    async with bot_of(slow):
        await slack.push(asked)
        async with bot_of(assistant):  # another process on the same database
            await slack.push(asked, retry=1)
            await until(done(slack))
            await slack.push(asked, retry=2)
            await quiet()
    assert (len(slow.turns), len(assistant.turns), len(slack.replies())) == (1, 0, 1)


async def test_a_retry_is_served_when_the_first_delivery_failed(slack: SlackDouble, bot: SlackBot):
    slack.faults["chat.startStream"] = [refused("internal_error")]
    slack.faults["chat.postMessage"] = [refused("internal_error")]
    asked = mention("How?")
    await slack.push(asked)
    await until(lambda: slack.called("chat.postMessage"))
    await quiet(0.1)
    assert slack.replies() == []
    await slack.push(asked, retry=1)
    await until(done(slack))
    assert slack.replies()[0].shown == LINKED


async def test_a_retry_is_served_when_the_process_died(slack: SlackDouble, bot_of: BotOf, assistant: ScriptedAssistant):
    asked = mention("How?")
    async with bot_of(ScriptedAssistant(pause=30), lease=0.2) as died:
        await slack.push(asked)
        await until(lambda: slack.called("assistant.threads.setStatus"))
        await quiet(0.1)
        await died.aclose(patience=0)
        await quiet(0.1)
    async with bot_of(assistant, lease=0.2):
        await slack.push(asked, retry=1)
        await until(lambda: any(one.shown == LINKED for one in slack.replies()))


async def test_a_stream_that_dies_ends_as_one_whole_reply(slack: SlackDouble, bot_of: BotOf):
    words = " ".join(f"word{number}" for number in range(600))
    slack.die_after = 3
    async with bot_of(ScriptedAssistant(lambda turn: play(words, sources=[source(1)]))):
        await slack.push(mention("How?"))
        await until(done(slack))
    [reply] = slack.replies()
    assert reply.updates == 1
    assert reply.shown == words
    assert reply.block("context_actions")
    assert len(slack.called("chat.appendStream")) == 4


async def test_a_stream_that_dies_at_its_end_is_whole_too(slack: SlackDouble, bot: SlackBot):
    slack.faults["chat.stopStream"] = [refused("message_not_in_streaming_state")]

    def stop(arguments):
        slack.messages[arguments["ts"]].state = "dead"
        return refused("message_not_in_streaming_state")(arguments)

    slack.faults["chat.stopStream"] = [stop]
    await slack.push(mention("How?"))
    await until(done(slack))
    [reply] = slack.replies()
    assert (reply.shown, reply.updates) == (LINKED, 1)


@pytest.mark.parametrize("error", ["message_not_in_streaming_state", "internal_error", "fatal_error", "msg_too_long"])
@pytest.mark.parametrize("method", ["chat.startStream", "chat.appendStream", "chat.stopStream"])
@pytest.mark.parametrize("well", [0, 1])
async def test_wherever_a_stream_breaks_there_is_one_whole_reply(
    slack: SlackDouble, bot_of: BotOf, method: str, error: str, well: int
):
    words = " ".join(f"word{number}" for number in range(300))

    def broken(arguments: dict[str, Any]) -> web.Response | None:
        if "ts" in arguments:  # from now on the message no longer streams
            slack.messages[arguments["ts"]].state = "dead"
        return refused(error)(arguments)

    slack.faults[method] = [*[lambda arguments: None] * well, broken]
    async with bot_of(ScriptedAssistant(lambda turn: play(words, sources=[source(1)]))):
        await slack.push(mention("How?"))
        await until(done(slack))
    [reply] = slack.replies()
    assert reply.shown == words
    assert reply.block("context_actions")


async def test_where_streams_are_refused_the_answer_is_posted(slack: SlackDouble, bot: SlackBot):
    slack.faults["chat.startStream"] = [refused("missing_scope")]
    await slack.push(mention("How?"))
    await until(done(slack))
    [reply] = slack.replies()
    assert reply.shown == LINKED
    assert [(one["unfurl_links"], one["unfurl_media"]) for one in slack.called("chat.postMessage")] == [(False, False)]


async def test_a_rate_limit_is_waited_for(slack: SlackDouble, bot: SlackBot):
    slack.faults["chat.startStream"] = [limited(1)]
    await slack.push(mention("How?"))
    await until(done(slack))
    first, second = [call.at for call in slack.calls if call.method == "chat.startStream"]
    assert second - first >= 1
    assert len(slack.replies()) == 1


async def test_an_answer_of_any_length_arrives_whole(slack: SlackDouble, bot_of: BotOf):
    words = "\n\n".join(f"Paragraph {number}: " + "word " * 60 for number in range(100)).strip()
    async with bot_of(ScriptedAssistant(lambda turn: play(words))):
        await slack.push(direct("How?"))
        await until(lambda: len(slack.replies()) == 3 and done(slack, 3)())
    shown = "\n\n".join(reply.shown for reply in slack.replies())
    assert shown.split() == words.split()
    assert [any(block["type"] == "context_actions" for block in one.blocks) for one in slack.replies()] == [0, 0, 1]


async def test_what_a_model_writes_calls_nobody(slack: SlackDouble, bot_of: BotOf):
    answer = (
        "Hello <!channel>, <@U2> and @here: [click](javascript:alert) <https://evil.example|our page> ![x](https://e/x)"
    )
    for delivery in ("stream", "update"):
        slack.die_after = 0 if delivery == "update" else None
        slack.messages.clear()
        async with bot_of(ScriptedAssistant(lambda turn: play(answer, sources=[]))):
            await slack.push(mention("How?"))
            await until(done(slack))
        shown = slack.replies()[0].shown
        assert not any(active in shown for active in ("<!", "<@", "@here", "](javascript", "<https", "!["))
        assert "click" in shown
        assert "our page" in shown


async def test_notices_and_failures_are_said(slack: SlackDouble, bot_of: BotOf):
    def script(turn: Turn):
        if turn.text == "break":
            return [*play()[:2], Failed(code="internal", message="Something went wrong.", retryable=True)]
        return play(notices=[Notice(code="model_unavailable", text="Another model answered.")])

    async with bot_of(ScriptedAssistant(script)):
        await slack.push(direct("How?"))
        await until(done(slack))
        await slack.push(direct("break"))
        await until(done(slack, 2))
        await slack.push(direct("x" * 30_000))
        await until(done(slack, 3))
    assert [one.shown for one in slack.replies()][:2] == [
        f"{LINKED}\n\n_Another model answered._",
        "Something went wrong.",
    ]
    assert "at most 20000" in slack.replies()[2].shown


class Overloaded(ScriptedAssistant):
    """Every connection to its database is in use."""

    async def stream(self, turn: Turn) -> AsyncGenerator[Event]:
        raise DatabaseBusy("Too much at once.")
        yield


async def test_too_much_at_once_is_said(slack: SlackDouble, bot_of: BotOf):
    async with bot_of(Overloaded()):
        await slack.push(direct("How?"))
        await until(done(slack))
    assert [one.shown for one in slack.replies()] == ["Too much at once."]


async def test_feedback_reaches_the_transcript(slack: SlackDouble, bot: SlackBot, assistant: ScriptedAssistant):
    await slack.push(mention("How?"))
    await until(done(slack))
    element = slack.replies()[0].block("context_actions")["elements"][0]
    assert element["type"] == "feedback_buttons"
    await slack.push(click(FEEDBACK, element["positive_button"]["value"]), kind="interactive")
    await until(lambda: assistant.ratings)
    await slack.push(click(FEEDBACK, element["negative_button"]["value"]), kind="interactive")
    await until(lambda: len(assistant.ratings) == 2)
    assert assistant.ratings == [Rating("slack:T1:U1", "message-1", rating, "") for rating in (1, -1)]
    await slack.push(click(FEEDBACK, element["positive_button"]["value"], user="U2"), kind="interactive")
    await until(lambda: len(slack.whispers) == 3)
    assert [one["text"] for one in slack.whispers] == [THANKS, THANKS, NOT_YOURS]


async def test_a_private_answer_goes_to_a_direct_message(
    slack: SlackDouble, bot: SlackBot, assistant: ScriptedAssistant
):
    await slack.push(mention("please answer me privately: what do I usually pay?"))
    await until(lambda: len(slack.replies()) == 2 and done(slack, 2)())
    assert {one.channel for one in slack.replies()} == {"DU1"}
    assert [(turn.text, turn.public) for turn in assistant.turns] == [("what do I usually pay?", False)]
    assert [(one["channel"], one["user"], one["text"]) for one in slack.whispers] == [("C1", "U1", IN_PRIVATE)]


async def test_the_button_answers_whoever_presses_it_in_private(
    slack: SlackDouble, bot: SlackBot, assistant: ScriptedAssistant
):
    await slack.push(mention("What do I pay?"))
    await until(done(slack))
    value = slack.replies()[0].block("actions")["elements"][0]["value"]
    await slack.push(click(PRIVATELY, value, user="U2"), kind="interactive")
    await until(done(slack, 3))
    assert [one.channel for one in slack.replies()] == ["C1", "DU2", "DU2"]
    assert [(turn.user_id, turn.text, turn.public) for turn in assistant.turns][1] == (
        "slack:T1:U2",
        "What do I pay?",
        False,
    )


async def test_accounts_are_linked_in_direct_messages_only(
    slack: SlackDouble, bot: SlackBot, assistant: ScriptedAssistant
):
    await slack.push(mention("link"))
    await until(lambda: slack.whispers)
    assert slack.whispers[0]["text"] == PRIVATE_ONLY
    await slack.push(direct("link"))
    await until(done(slack))
    code = slack.replies()[0].shown.split("**")[1]
    await slack.push(direct(f"link {code.lower()}", user="U2", channel="D2"))
    await until(done(slack, 2))
    assert "Slack (T1:U1)" in slack.replies()[1].shown
    await slack.push(direct("How?", user="U2", channel="D2"))
    await until(done(slack, 3))
    [turn] = assistant.turns
    assert (turn.user_id, turn.account) == ("slack:T1:U1", "slack:T1:U2")


async def test_answers_that_run_at_the_end_are_finished_or_ended_with_a_word(slack: SlackDouble, bot_of: BotOf):
    endless = [*play()[:4], Token(text="Money is "), *[Token(text="") for _ in range(1000)]]
    async with bot_of(ScriptedAssistant(lambda turn: endless, pause=0.05)) as bot:
        await slack.push(direct("How?"))
        await until(lambda: any("Money" in one.shown for one in slack.replies()))
        await bot.aclose(patience=0.1)
    [reply] = slack.replies()
    assert reply.state == "done"
    assert "stopped" in reply.shown


async def test_a_lost_connection_is_made_again(slack: SlackDouble, bot: SlackBot):
    await slack.push(direct("How?"))
    await until(done(slack))
    await slack.close_sockets()
    await slack.push(direct("How?"))
    await until(done(slack, 2))


async def test_what_was_used_of_the_profile_is_said_in_private_only_and_can_be_refused(
    slack: SlackDouble, bot_of: BotOf, engine: AsyncEngine
):
    used = Used(kind="preference", facet="topic", value="fees", entry="You ask about <fees>", effect="Fees came first")
    assistant = ScriptedAssistant(lambda turn: play(receipt=[used]))
    assistant.profiles = ProfileStore(engine)
    async with bot_of(assistant):
        await slack.push(mention("How?"))
        await until(done(slack))
        await slack.push(direct("How?"))
        await until(done(slack, 2))
        in_public, in_private = (json.dumps(one.blocks) for one in slack.replies())
        assert "fees" not in in_public
        assert "Personalised:\\nYou ask about &lt;fees&gt;: Fees came first" in in_private
        button = slack.replies()[1].block("actions")["elements"][0]
        await slack.push(click(button["action_id"], button["value"], channel="D1"), kind="interactive")
        await until(lambda: slack.whispers)
    assert [one.value for one in (await assistant.profiles.read("slack:T1:U1")).muted] == ["fees"]
