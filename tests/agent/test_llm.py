import logging

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage

from agent.errors import SettingsError
from agent.llm import limits_of, open_chat_model, open_model
from agent.openai_model import CompatibleChatOpenAI
from agent.settings import Settings
from tests.model_server import ModelServer, Status

URL = "http://127.0.0.1:11434/v1"


def settings(**values: object) -> Settings:
    """Settings of exactly these values, whatever the environment of the test run says."""
    blank: dict[str, object] = {"OPENAI_API_KEY": None, "OPENAI_BASE_URL": None, "model": None}
    return Settings.model_validate({**blank, **values})


def opened(**values: object) -> CompatibleChatOpenAI:
    model = open_chat_model(settings(**values))
    assert isinstance(model, CompatibleChatOpenAI)
    return model


def test_no_model_means_the_extractive_one(caplog: pytest.LogCaptureFixture) -> None:
    assert open_chat_model(settings()) is None
    assert open_model(settings()) is None
    assert caplog.records == []


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"OPENAI_API_KEY": "sk-1"}, "OPENAI_API_KEY is set"),
        ({"OPENAI_BASE_URL": URL}, "OPENAI_BASE_URL is set"),
        ({"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": URL}, "OPENAI_API_KEY and OPENAI_BASE_URL are set"),
    ],
)
def test_a_key_or_url_without_a_model_is_mentioned(
    values: dict[str, object], named: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert open_chat_model(settings(**values)) is None
    assert named in caplog.text
    assert "Set ATTUNE_MODEL" in caplog.text
    assert "sk-1" not in caplog.text


def test_blank_values_are_as_good_as_none() -> None:
    assert open_chat_model(settings(OPENAI_API_KEY="", OPENAI_BASE_URL=" ", model="")) is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model": "gpt-x"}, "neither OPENAI_API_KEY nor OPENAI_BASE_URL"),
        ({"model": "gpt-x", "OPENAI_API_KEY": " "}, "neither OPENAI_API_KEY nor OPENAI_BASE_URL"),
        ({"model": "m", "OPENAI_BASE_URL": "localhost:11434/v1"}, "expected http"),
        ({"model": "m", "OPENAI_BASE_URL": URL + "/chat/completions"}, "the root of the API"),
        ({"model": "m", "OPENAI_BASE_URL": URL, "model_answer_tokens": 9000}, "ATTUNE_MODEL_ANSWER_TOKENS is 9000"),
    ],
)
def test_settings_that_cannot_work_say_which_variable_and_what_to_do(values: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        open_chat_model(settings(**values))


def test_credentials_in_a_url_are_not_repeated() -> None:
    with pytest.raises(SettingsError) as refused:
        open_chat_model(settings(model="m", OPENAI_BASE_URL="ftp://user:secret@host/v1"))
    assert "secret" not in str(refused.value)


def test_openai_gets_its_own_words() -> None:
    model = opened(model="gpt-4o", OPENAI_API_KEY="sk-1")
    assert str(model.root_async_client.base_url) == "https://api.openai.com/v1/"
    payload = model._get_request_payload([HumanMessage("hi")])
    assert payload["max_completion_tokens"] == 1000
    assert "max_tokens" not in payload


def test_other_servers_get_the_words_that_all_know() -> None:
    model = opened(model="llama3", OPENAI_BASE_URL=URL, model_temperature=0.1, model_answer_tokens=500)
    payload = model._get_request_payload([HumanMessage("hi")])
    assert payload["max_tokens"] == 500
    assert payload["temperature"] == 0.1
    assert "max_completion_tokens" not in payload


def test_retries_and_time_limits_are_the_guards_alone() -> None:
    model = opened(model="m", OPENAI_BASE_URL=URL, model_connect_timeout=3)
    client = model.root_async_client
    assert client.max_retries == 0
    assert (client.timeout.connect, client.timeout.read) == (3, None)
    assert model.stream_chunk_timeout is None


def test_limits_come_from_the_settings() -> None:
    limits = limits_of(
        settings(
            model_first_token_timeout=1,
            model_idle_timeout=2,
            model_total_timeout=3,
            model_retries=4,
            model_retry_budget=5,
            model_breaker_failures=6,
            model_breaker_cooldown=7,
        )
    )
    assert (limits.first_token, limits.idle, limits.total, limits.retries) == (1, 2, 3, 4)
    assert (limits.retry_budget, limits.breaker_failures, limits.breaker_cooldown) == (5, 6, 7)


async def test_a_local_server_needs_no_key() -> None:
    async with ModelServer() as server:
        model = open_model(settings(model="llama3", OPENAI_BASE_URL=server.base_url))
        assert model is not None
        assert model.name == "llama3"
        texts = [str(chunk.content) async for chunk in model.stream([HumanMessage("hi")])]
        await model.aclose()
        assert "".join(texts) == "The documents say so [1]."
        assert server.chats[0].body["model"] == "llama3"


async def test_an_opened_model_keeps_its_key_out_of_errors() -> None:
    async with ModelServer() as server:
        server.script(Status(401, "no such key: plain-key-without-a-prefix"))
        key = "plain-key-without-a-prefix"
        model = open_model(settings(model="m", OPENAI_BASE_URL=server.base_url, OPENAI_API_KEY=key))
        assert model is not None
        with pytest.raises(Exception, match="OPENAI_API_KEY") as refused:
            async for _ in model.stream([HumanMessage("hi")]):
                pass
        await model.aclose()
        assert key not in str(refused.value)


async def test_a_given_model_is_guarded_in_place_of_the_settings() -> None:
    model = open_model(settings(), model=FakeListChatModel(responses=["Yes."]))
    assert model is not None
    texts = [str(chunk.content) async for chunk in model.stream([HumanMessage("hi")])]
    await model.aclose()
    assert "".join(texts) == "Yes."
