"""Personal data is masked before a model on another machine sees it, where that is asked for, and only there."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk
from pydantic import PrivateAttr

from agent.llm import open_model
from agent.settings import Settings

REMOTE, LOCAL = "https://models.example/v1", "http://127.0.0.1:11434/v1"
ASKED = [
    SystemMessage("Answer Ada."),
    HumanMessage("I am ada@example.org, my card is 4111 1111 1111 1111"),
    AIMessage("", tool_calls=[{"name": "search_knowledge_base", "args": {"query": "ada@example.org"}, "id": "call_1"}]),
    ToolMessage("Write to support@fernhollow.example", tool_call_id="call_1", name="search_knowledge_base"),
    ToolMessage("Their address: ada@example.org", tool_call_id="call_2", name="get_profile"),
]


class Recording(FakeListChatModel):
    """Notes what it was sent."""

    _sent: list[BaseMessage] = PrivateAttr(default_factory=list)

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        self._sent.extend(messages)
        async for chunk in super()._astream(messages, *args, **kwargs):
            yield chunk


async def sent(base_url: str, *, mask: bool) -> list[BaseMessage]:
    settings = Settings(_env_file=None, model="x", OPENAI_BASE_URL=base_url, mask_personal_data=mask)
    recording = Recording(responses=["Yes."])
    model = open_model(settings, model=recording)
    assert model is not None
    async for _ in model.stream(ASKED, tools=False):
        pass
    return recording._sent


async def test_a_model_elsewhere_sees_no_personal_data():
    system, question, call, passage, profile = await sent(REMOTE, mask=True)
    assert system.content == "Answer Ada."
    assert question.content == "I am [email], my card is [card]"
    assert isinstance(call, AIMessage)
    assert call.tool_calls[0]["args"] == {"query": "[email]"}
    assert call.tool_calls[0]["id"] == "call_1"
    assert passage.content == "Write to support@fernhollow.example"
    assert profile.content == "Their address: [email]"
    assert "ada@example.org" in ASKED[1].text  # what is kept stays as it was said


@pytest.mark.parametrize(("base_url", "mask"), [(REMOTE, False), (LOCAL, True), ("http://localhost:1/v1", True)])
async def test_else_nothing_is_masked(base_url: str, mask: bool):
    assert await sent(base_url, mask=mask) == ASKED
