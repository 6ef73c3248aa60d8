"""The bot in Discord, as its users meet it: the real library, real sockets, a Discord on loopback."""

import time
from collections.abc import AsyncGenerator, Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.assistant import Turn
from agent.events import Event, Failed, Notice, Token, Used
from tests.fakes import DEFAULT_ANSWER, Rating, ScriptedAssistant, play, source
from tests.ui.discord_bot.conftest import BotOf
from tests.ui.discord_bot.discord_double import (
    ADA,
    BOB,
    BOT,
    CHANNEL,
    DM,
    EPHEMERAL,
    SUPPRESS_EMBEDS,
    DiscordDouble,
    forbidden,
    gone,
    limited,
)
from tests.ui.until import quiet, until
from tools.pool import DatabaseBusy
from tools.profile.store import ProfileStore
from ui.bot_words import IN_PRIVATE, NOT_YOURS, THANKS
from ui.discord_bot.bot import NO_DIRECT_MESSAGES, PRIVATE_ONLY, DiscordBot

ASKED = f"<@{BOT}> How does escrow work?"
SOURCES = "\n".join(
    f"-# [{number}] [Article {number} › Section {number}](<https://help.example/article-{number}#section-{number}>)"
    for number in (1, 2)
)


def answered(discord: DiscordDouble, times: int = 1) -> Callable[[], bool]:
    return lambda: sum(bool(one.buttons) for one in discord.shown()) == times


async def test_a_mention_is_answered_in_a_thread_of_its_own(
    discord: DiscordDouble, bot: DiscordBot, assistant: ScriptedAssistant
):
    asked = await discord.write(ASKED)
    await until(answered(discord))
    thread = int(asked["id"])
    assert discord.threads == {thread: "How does escrow work?"}
    [reply] = discord.shown()
    assert (reply.channel, reply.content) == (thread, f"{DEFAULT_ANSWER}\n\n{SOURCES}")
    assert discord.called("POST", f"/channels/{thread}/typing")
    [turn] = assistant.turns
    assert (turn.user_id, turn.text, turn.channel, turn.public) == (
        f"discord:{ADA}",
        "How does escrow work?",
        "discord",
        True,
    )


async def test_nobody_is_pinged_and_no_link_unfurls(discord: DiscordDouble, bot_of: BotOf):
    words = "Hello @everyone and <@3002>, [click](javascript:alert(1)) https://example.com ![x](https://e/x)"
    async with bot_of(ScriptedAssistant(lambda turn: play(words, sources=[]))):
        await discord.write(ASKED)
        await until(answered(discord))
    [reply] = discord.shown()
    assert not any(active in reply.content for active in ("@everyone", "<@", "](javascript", "!["))
    posts = [call.body for call in discord.calls if "content" in call.body]
    assert posts
    assert all(body["allowed_mentions"]["parse"] == [] for body in posts)
    assert all(one.flags & SUPPRESS_EMBEDS for one in discord.shown())


async def test_ask_is_answered_in_a_thread_below_the_question(
    discord: DiscordDouble, bot: DiscordBot, assistant: ScriptedAssistant
):
    await discord.command("ask", {"question": "How does escrow work?"})
    await until(answered(discord))
    question, reply = discord.shown()
    assert question.content == "> How does escrow work?"
    assert discord.threads == {question.id: "How does escrow work?"}
    assert reply.channel == question.id
    assert discord.called("POST", r"/interactions/\d+/[\w-]+/callback")[0].body["type"] == 5  # thinking
    assert assistant.turns[0].public


async def test_ask_privately_is_for_the_asker_only(
    discord: DiscordDouble, bot: DiscordBot, assistant: ScriptedAssistant
):
    await discord.command("ask", {"question": "What do I pay?", "privately": True})
    await until(answered(discord))
    [reply] = discord.shown()
    assert reply.flags & EPHEMERAL
    assert discord.called("POST", r"/interactions/.*")[0].body["data"]["flags"] == EPHEMERAL
    assert (discord.threads, [turn.public for turn in assistant.turns]) == ({}, [False])


async def test_the_commands_are_announced(discord: DiscordDouble, bot: DiscordBot):
    assert {command["name"] for command in discord.commands} == {"ask", "link", "links", "unlink"}


@pytest.mark.parametrize("follow_ups", [False, True])
async def test_the_privileged_intent_is_asked_for_only_by_choice(
    discord: DiscordDouble, bot_of: BotOf, follow_ups: bool
):
    async with bot_of(ScriptedAssistant(), follow_ups=follow_ups):
        await discord.ready()
    assert bool(discord.identified[0]["intents"] & 1 << 15) is follow_ups


async def test_direct_messages_are_one_private_conversation(
    discord: DiscordDouble, bot: DiscordBot, assistant: ScriptedAssistant
):
    await discord.write("How does escrow work?", channel=DM)
    await until(answered(discord))
    await discord.write("And who pays?", channel=DM)
    await until(answered(discord, 2))
    assert [(turn.public, turn.conversation_id) for turn in assistant.turns] == [
        (False, None),
        (False, "conversation-1"),
    ]
    assert discord.threads == {}


async def test_follow_ups_without_a_mention_are_by_choice(discord: DiscordDouble, bot_of: BotOf):
    assistant = ScriptedAssistant()
    async with bot_of(assistant, follow_ups=True):
        asked = await discord.write(ASKED)
        await until(answered(discord))
        thread = discord._thread(int(asked["id"]))
        await discord.dispatch("THREAD_CREATE", thread)
        await discord.write("And who pays?", channel=int(asked["id"]))
        await until(answered(discord, 2))
        await discord.write(f"<@{BOB}> what do you say?", channel=int(asked["id"]))
        await discord.write("And here?")
        await quiet()
    assert [turn.text for turn in assistant.turns] == ["How does escrow work?", "And who pays?"]
    assert assistant.turns[1].conversation_id == "conversation-1"


async def test_talk_that_is_not_for_the_bot_is_left_alone(
    discord: DiscordDouble, bot: DiscordBot, assistant: ScriptedAssistant
):
    asked = await discord.write(ASKED)
    await until(answered(discord))
    await discord.dispatch("THREAD_CREATE", discord._thread(int(asked["id"])))
    await discord.write("And who pays?", channel=int(asked["id"]))  # follow-ups are off
    await discord.write("lunch?")
    await discord.write(ASKED, author=BOT)
    await discord.write(ASKED, webhook_id="55")
    await discord.write(ASKED, type=7)  # somebody joined
    await quiet()
    assert len(assistant.turns) == 1


async def test_a_mention_in_a_thread_stays_there(discord: DiscordDouble, bot: DiscordBot, assistant: ScriptedAssistant):
    discord.threads[4001] = "Lunch"
    await discord.dispatch("THREAD_CREATE", discord._thread(4001))
    await discord.write(ASKED, channel=4001)
    await until(answered(discord))
    assert [one.channel for one in discord.shown()] == [4001]
    assert list(discord.threads) == [4001]


async def test_where_threads_are_not_allowed_the_answer_is_a_reply(discord: DiscordDouble, bot: DiscordBot):
    discord.faults["POST", ".*/threads"] = [forbidden, forbidden]
    asked = await discord.write(ASKED)
    await until(answered(discord))
    [reply] = discord.shown()
    assert (reply.channel, reply.reference) == (CHANNEL, int(asked["id"]))
    await discord.command("ask", {"question": "How?"})
    await until(answered(discord, 2))
    assert [one.channel for one in discord.shown()] == [CHANNEL] * 3


async def test_two_processes_answer_once(discord: DiscordDouble, bot_of: BotOf):
    first, second = ScriptedAssistant(pause=0.02), ScriptedAssistant(pause=0.02)
    async with bot_of(first), bot_of(second):
        await discord.write(ASKED)
        await until(answered(discord))
        await quiet()
    assert len(first.turns) + len(second.turns) == 1
    assert len(discord.shown()) == 1


async def test_a_growing_answer_is_edited_about_once_a_second(discord: DiscordDouble, bot_of: BotOf):
    words = " ".join(f"word{number}" for number in range(60))
    async with bot_of(ScriptedAssistant(lambda turn: play(words, sources=[]), pause=0.04)):
        started = time.monotonic()
        await discord.write(ASKED)
        await until(answered(discord))
    [reply] = discord.shown()
    assert reply.content == words
    assert 2 <= len(reply.edits) <= time.monotonic() - started + 1
    between = [after - before for before, after in zip(reply.edits, reply.edits[1:-1], strict=False)]
    assert all(seconds >= 0.95 for seconds in between)


async def test_a_long_answer_becomes_several_messages_with_whole_code_blocks(discord: DiscordDouble, bot_of: BotOf):
    code = "```python\n" + "\n".join(f"line_{number} = {number}" for number in range(200)) + "\n```"
    words = f"Before.\n\n{code}\n\nAfter."
    async with bot_of(ScriptedAssistant(lambda turn: play(words, sources=[source(1)]), pause=0.002)):
        await discord.write(ASKED)
        await until(answered(discord), 20)
    shown = discord.shown()
    assert len(shown) > 1
    assert all(one.content.count("```") % 2 == 0 for one in shown)
    assert "".join(one.content for one in shown).count(" = ") == 200
    assert [bool(one.buttons) for one in shown] == [False] * (len(shown) - 1) + [True]
    assert "After." in shown[-1].content
    assert "[Article 1" in shown[-1].content


async def test_buttons_work_after_a_restart(discord: DiscordDouble, bot_of: BotOf):
    assistant = ScriptedAssistant()
    async with bot_of(assistant):
        await discord.write(ASKED)
        await until(answered(discord))
    [reply] = discord.shown()
    up, down = (button["custom_id"] for button in reply.buttons)
    async with bot_of(assistant):
        await discord.press(up, reply)
        await until(lambda: assistant.ratings)
        await discord.press(down, reply)
        await until(lambda: len(assistant.ratings) == 2)
        await discord.press(up, reply, user=BOB)
        await until(lambda: len(discord.shown()) == 4)
    assert assistant.ratings == [Rating(f"discord:{ADA}", "message-1", rating, "") for rating in (1, -1)]
    said = discord.shown()[1:]
    assert [one.content for one in said] == [THANKS, THANKS, NOT_YOURS]
    assert all(one.flags & EPHEMERAL for one in said)


async def test_answers_given_leave_nothing_behind_in_memory(discord: DiscordDouble, bot: DiscordBot):
    await discord.write(ASKED)
    await until(answered(discord))
    assert not bot.persistent_views


async def test_a_private_answer_goes_to_a_direct_message(
    discord: DiscordDouble, bot: DiscordBot, assistant: ScriptedAssistant
):
    await discord.write(f"<@{BOT}> answer me privately: what do I pay?")
    await until(answered(discord))
    assert [(one.channel, one.content) for one in discord.shown()][:2] == [
        (DM, "> what do I pay?"),
        (CHANNEL, IN_PRIVATE),
    ]
    assert discord.shown()[2].channel == DM
    assert [turn.public for turn in assistant.turns] == [False]


async def test_somebody_who_takes_no_direct_messages_is_told_what_to_do(
    discord: DiscordDouble, bot: DiscordBot, assistant: ScriptedAssistant
):
    discord.faults["POST", f"/channels/{DM}/messages"] = [forbidden]
    await discord.write(f"<@{BOT}> please answer me privately: what do I pay?")
    await until(discord.shown)
    assert [one.content for one in discord.shown()] == [NO_DIRECT_MESSAGES]
    assert assistant.turns == []


async def test_accounts_are_linked_out_of_sight(discord: DiscordDouble, bot: DiscordBot, assistant: ScriptedAssistant):
    await discord.write(f"<@{BOT}> link")
    await until(lambda: len(discord.shown()) == 1)
    await discord.command("link")
    await until(lambda: len(discord.shown()) == 2)
    code = discord.shown()[1].content.split("**")[1]
    await discord.command("link", {"code": code}, user=BOB)
    await until(lambda: len(discord.shown()) == 3)
    await discord.command("links", user=BOB)
    await until(lambda: len(discord.shown()) == 4)
    refused, issued, linked, listed = discord.shown()
    assert refused.content == PRIVATE_ONLY
    assert f"Discord ({ADA})" in linked.content
    assert listed.content.startswith("Your links:\n1. ")
    assert all(one.flags & EPHEMERAL for one in (issued, linked, listed))
    await discord.command("ask", {"question": "How?"}, user=BOB)
    await until(answered(discord))
    assert (assistant.turns[0].user_id, assistant.turns[0].account) == (f"discord:{ADA}", f"discord:{BOB}")
    await discord.command("unlink", {"number": 1})
    await until(lambda: any(one.content.startswith("Removed") for one in discord.shown()))


async def test_notices_failures_and_limits_are_said(discord: DiscordDouble, bot_of: BotOf):
    def script(turn: Turn):
        if turn.text == "break":
            return [*play()[:2], Failed(code="internal", message="Something went wrong.", retryable=True)]
        return play(notices=[Notice(code="model_unavailable", text="Another model answered.")])

    async with bot_of(ScriptedAssistant(script, max_message_chars=1000)):
        await discord.write("How?", channel=DM)
        await until(answered(discord))
        await discord.write("break", channel=DM)
        await until(lambda: any(one.content == "Something went wrong." for one in discord.shown()))
        await discord.write("x" * 1500, channel=DM)
        await until(lambda: any("at most 1000" in one.content for one in discord.shown()))
    assert discord.shown()[0].content.startswith(f"{DEFAULT_ANSWER}\n\n*Another model answered.*")


class Overloaded(ScriptedAssistant):
    """Every connection to its database is in use."""

    async def stream(self, turn: Turn) -> AsyncGenerator[Event]:
        raise DatabaseBusy("Too much at once.")
        yield


async def test_too_much_at_once_is_said(discord: DiscordDouble, bot_of: BotOf):
    async with bot_of(Overloaded()):
        await discord.write("How?", channel=DM)
        await until(lambda: [one.content for one in discord.shown()] == ["Too much at once."])


async def test_a_deleted_or_limited_message_does_not_lose_the_answer(discord: DiscordDouble, bot: DiscordBot):
    discord.faults["PATCH", "/channels/.*"] = [gone]
    discord.faults["POST", r"/channels/\d+/messages"] = [limited]
    await discord.write("How?", channel=DM)
    await until(answered(discord))
    assert discord.shown()[-1].content.startswith(DEFAULT_ANSWER)


async def test_answers_that_run_at_the_end_are_ended_with_a_word(discord: DiscordDouble, bot_of: BotOf):
    endless = [*play()[:4], Token(text="Money is "), *[Token(text="") for _ in range(1000)]]
    async with bot_of(ScriptedAssistant(lambda turn: endless, pause=0.05)) as bot:
        await discord.write("How?", channel=DM)
        await until(lambda: any("Money" in one.content for one in discord.shown()))
        await bot.aclose(patience=0.1)
    assert "stopped" in discord.shown()[-1].content


async def test_what_was_used_of_the_profile_is_said_in_private_only_and_can_be_refused(
    discord: DiscordDouble, bot_of: BotOf, engine: AsyncEngine
):
    used = Used(kind="preference", facet="topic", value="fees", entry="You ask about fees", effect="Fees came first")
    long = used.model_copy(update={"value": "x" * 100})
    assistant = ScriptedAssistant(lambda turn: play(receipt=[used, long], sources=[]))
    assistant.profiles = ProfileStore(engine)
    async with bot_of(assistant):
        await discord.write(ASKED)
        await until(answered(discord))
        await discord.write("How?", channel=DM)
        await until(answered(discord, 2))
        in_public, in_private = discord.shown()
        assert "fees" not in in_public.content
        assert "-# You ask about fees: Fees came first" in in_private.content
        assert [len(one.buttons) for one in (in_public, in_private)] == [2, 3]
        await discord.press(in_private.buttons[2]["custom_id"], in_private)
        await until(lambda: len(discord.shown()) == 3)
    assert [one.value for one in (await assistant.profiles.read(f"discord:{ADA}")).muted] == ["fees"]
