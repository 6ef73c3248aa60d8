"""Settings to a chat model: none (the extractive model answers), or any OpenAI-compatible one, guarded.

Everything that can go wrong at a distance is dealt with in agent/guard.py, every accent of a server in
agent/openai_model.py, and what an error means in agent/failures.py.
"""

import logging
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import BaseTool

from agent.errors import SettingsError
from agent.guard import GuardedModel, ModelLimits
from agent.settings import Settings
from tools.access.personal_data import mask

__all__ = ["GuardedModel", "ModelLimits", "limits_of", "open_chat_model", "open_model"]

log = logging.getLogger(__name__)

OPENAI = "https://api.openai.com/v1"
NO_KEY = "not-needed"
"""What local servers get for a key: the client insists on one, they do not look at it."""
KEPT_CONNECTION = 55.0
"""Seconds for which an idle connection is kept, to save the next turn a handshake; most proxies drop it at 60."""


def open_model(
    settings: Settings, *, tools: Sequence[BaseTool] = (), model: BaseChatModel | None = None
) -> GuardedModel | None:
    """The guarded model of these settings, or `model` guarded; None when the extractive model is to answer. Close it.

    Raises:
        SettingsError: A model is named but cannot be reached with what is set.
    """
    chosen = model or open_chat_model(settings)
    if chosen is None:
        return None
    client = getattr(chosen, "root_async_client", None)
    key = _blank_is_none(settings.openai_api_key.get_secret_value()) if settings.openai_api_key else None
    return GuardedModel(
        chosen,
        tools=tools,
        limits=limits_of(settings),
        secrets=[key] if key else [],
        close=client.close if client is not None and model is None else None,
        redact=without_personal_data
        if settings.mask_personal_data and not _is_here(settings.openai_base_url)
        else None,
    )


_DOCUMENTS = {"search_knowledge_base", "open_article"}


def without_personal_data(message: BaseMessage) -> BaseMessage:
    """The message with personal data masked, also where a tool was called with it. What the documents say stays: an
    address of the support team is there to be read."""
    if isinstance(message, ToolMessage) and message.name in _DOCUMENTS:
        return message
    changes: dict[str, Any] = {"content": _masked(message.content)}
    if isinstance(message, AIMessage):
        changes["tool_calls"] = _masked(message.tool_calls)
    return message.model_copy(update=changes)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {name: inner if name in {"id", "name", "type"} else _masked(inner) for name, inner in value.items()}
    return [_masked(inner) for inner in value] if isinstance(value, list) else value


def _is_here(base_url: str | None) -> bool:
    """Whether a model's address is on this machine."""
    host = urlsplit(base_url or OPENAI).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def limits_of(settings: Settings) -> ModelLimits:
    """The limits that these settings put on a model."""
    return ModelLimits(
        first_token=settings.model_first_token_timeout,
        idle=settings.model_idle_timeout,
        total=settings.model_total_timeout,
        retries=settings.model_retries,
        retry_budget=settings.model_retry_budget,
        breaker_failures=settings.model_breaker_failures,
        breaker_cooldown=settings.model_breaker_cooldown,
    )


def open_chat_model(settings: Settings) -> BaseChatModel | None:
    """The chat model of these settings, None without ATTUNE_MODEL. A key alone asks for nothing (many shells export
    one for other programs), so it gives a line in the log and no error.

    Raises:
        SettingsError: A model is named but neither a key nor a server is, or the URL cannot be an API's root.
    """
    key = _blank_is_none(settings.openai_api_key.get_secret_value()) if settings.openai_api_key else None
    base_url = _blank_is_none(settings.openai_base_url)
    name = _blank_is_none(settings.model)
    if name is None:
        _mention_unused(key, base_url)
        return None
    if key is None and base_url is None:
        raise SettingsError(
            f"ATTUNE_MODEL is {name!r}, but neither OPENAI_API_KEY nor OPENAI_BASE_URL is set: set the key to use "
            "OpenAI, or the URL of your own server (Ollama: http://127.0.0.1:11434/v1), or unset ATTUNE_MODEL"
        )
    if settings.model_answer_tokens * 2 > settings.model_context_tokens:
        raise SettingsError(
            f"ATTUNE_MODEL_ANSWER_TOKENS is {settings.model_answer_tokens}: it may take at most half of "
            f"ATTUNE_MODEL_CONTEXT_TOKENS ({settings.model_context_tokens}), since the prompt must fit beside it"
        )
    return _compatible(settings, name, key or NO_KEY, _checked_url(base_url) if base_url else OPENAI)


def _blank_is_none(value: str | None) -> str | None:
    return value.strip() or None if value else None


def _mention_unused(key: str | None, base_url: str | None) -> None:
    unused = [name for name, value in (("OPENAI_API_KEY", key), ("OPENAI_BASE_URL", base_url)) if value]
    if unused:
        log.warning(
            "%s set, but no ATTUNE_MODEL: the extractive model answers. Set ATTUNE_MODEL to a model's name to use it.",
            " and ".join(unused) + (" are" if len(unused) > 1 else " is"),
        )


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"OPENAI_BASE_URL is {_without_credentials(url)!r}: expected http(s)://host[:port]/v1")
    if parts.path.rstrip("/").endswith(("/chat/completions", "/completions", "/models")):
        raise SettingsError(
            f"OPENAI_BASE_URL is {_without_credentials(url)!r}: expected the root of the API, which ends before "
            "/chat/completions, such as http://127.0.0.1:11434/v1"
        )
    return url


def _without_credentials(url: str) -> str:
    return url.rpartition("@")[2]


def _compatible(settings: Settings, name: str, key: str, base_url: str) -> BaseChatModel:
    import httpx2
    import openai
    from pydantic import SecretStr

    from agent.openai_model import CompatibleChatOpenAI

    at_openai = urlsplit(base_url).hostname == "api.openai.com"
    # Reading has no limit here: the guard's limits look at tokens, where a keep-alive comment does not count.
    timeout = httpx2.Timeout(None, connect=settings.model_connect_timeout)
    limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=KEPT_CONNECTION)
    return CompatibleChatOpenAI(
        model=name,
        api_key=SecretStr(key),
        base_url=base_url,
        http_async_client=openai.DefaultAsyncHttpxClient(timeout=timeout, limits=limits),
        timeout=timeout,
        stream_chunk_timeout=None,
        max_retries=0,
        stream_usage=True,
        temperature=settings.model_temperature,
        max_tokens=settings.model_answer_tokens,
        legacy_max_tokens=not at_openai,
        use_responses_api=None if at_openai else False,
    )
