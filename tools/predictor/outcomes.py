"""What came of a moment: the labels that predictions are judged by and models learn from.

Engaged: opens or follows something, or comes back, within seven days. At risk: asks the same again, turns the thumb
down, or asks for a person, within three days. None until that time is over, whatever happened already: if what is
known early counted early, the newest cases would all be those where something happened.
"""

from bisect import bisect_right
from collections.abc import Sequence

from tools.predictor.features import ASKED, DAY, OPENED, Asking
from tools.predictor.history import Event, History
from tools.predictor.words import SAME, likeness

ENGAGED_WITHIN = 7 * DAY
RISK_WITHIN = 3 * DAY
COMES_BACK = 1800.0
"""Seconds after which another question is a return and not the same visit."""


def engaged(history: History, asking: Asking, now: float) -> bool | None:
    """Whether the user engaged after this moment; None while that can still happen."""
    if now < asking.at + ENGAGED_WITHIN:
        return None
    after = _after(history.events, asking.at, ENGAGED_WITHIN)
    return any(event.type in OPENED or event.at - asking.at >= COMES_BACK for event in after)


def at_risk(history: History, asking: Asking, now: float, *, key: str = "") -> bool | None:
    """Whether this question ended badly; `key` is its message's id, whose rating counts."""
    if now < asking.at + RISK_WITHIN:
        return None
    after = _after(history.events, asking.at, RISK_WITHIN)
    again = (event for event in after if event.type == ASKED and event.key != key)
    if any(event.wants_person or likeness(event.words, asking.words) >= SAME for event in again):
        return True
    return bool(key) and any(event.key == key and event.rating < 0 for event in history.events)


def _after(events: Sequence[Event], at: float, within: float) -> Sequence[Event]:
    first = bisect_right(events, at, key=lambda event: event.at)
    last = bisect_right(events, at + within, key=lambda event: event.at)
    return events[first:last]
