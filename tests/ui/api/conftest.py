"""Rooms with a catalogue and a predictor in them, for the routes that serve from both."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from agent.settings import Settings
from tests.ui.api.rooms import Rooms, open_rooms


@pytest.fixture
async def rooms(
    tmp_path: Path, settings: Settings, client_of: Callable[[FastAPI], httpx.AsyncClient]
) -> AsyncIterator[Rooms]:
    async with open_rooms(tmp_path, settings, client_of) as opened:
        yield opened
