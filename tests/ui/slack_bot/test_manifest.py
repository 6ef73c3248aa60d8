"""The app that people are told to make is one that the bot works with."""

from pathlib import Path
from typing import Any

import pytest
import yaml

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def manifest() -> dict[str, Any]:
    return dict(yaml.safe_load((DOCS / "slack-manifest.yaml").read_text()))


def test_it_is_an_agent_with_a_messages_tab(manifest: dict[str, Any]) -> None:
    features = manifest["features"]
    assert features["agent_view"]["agent_description"]
    assert "assistant_view" not in features
    assert features["app_home"] == {
        "home_tab_enabled": False,
        "messages_tab_enabled": True,
        "messages_tab_read_only_enabled": False,
    }


def test_every_event_that_is_listened_to_is_subscribed_with_its_scope(manifest: dict[str, Any]) -> None:
    scope_of = {
        "app_mention": "app_mentions:read",
        "app_home_opened": None,
        "message.channels": "channels:history",
        "message.groups": "groups:history",
        "message.im": "im:history",
        "message.mpim": "mpim:history",
    }
    scopes = set(manifest["oauth_config"]["scopes"]["bot"])
    assert set(manifest["settings"]["event_subscriptions"]["bot_events"]) == set(scope_of)
    assert scopes == {scope for scope in scope_of.values() if scope} | {"assistant:write", "chat:write", "im:write"}


def test_it_starts_in_socket_mode_and_buttons_work(manifest: dict[str, Any]) -> None:
    assert manifest["settings"]["socket_mode_enabled"] is True
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
