"""Names for what a user's preferences add up to ("Payments Specialist", "Medical Fan"), by rules in data.

A rule names a facet and, unless it takes any, its values. It holds when the preferences that it speaks of are strong
enough together and rest on enough evidence. `{value}` in its name makes one persona of each value.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tools.profile.model import Persona, Preference, key_of

RULES = Path(__file__).parent / "personas.yaml"
MOST_PERSONAS = 3
MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """When a persona is given: sum of scores and of evidence at least this, over these values (keys; None: any)."""

    name: str
    facet: str
    at_least: float
    evidence: int
    values: frozenset[str] | None = None


def load_rules(path: Path = RULES) -> tuple[Rule, ...]:
    """The rules of a YAML file."""
    return tuple(_rule(one) for one in yaml.safe_load(path.read_text("utf-8"))["personas"])


def _rule(entry: dict[str, Any]) -> Rule:
    values = entry.get("values")
    return Rule(
        name=entry["name"],
        facet=entry["facet"],
        at_least=float(entry["at_least"]),
        evidence=int(entry["evidence"]),
        values=None if values is None else frozenset(map(key_of, values)),
    )


def persona_finder(rules: Sequence[Rule]) -> Callable[[Sequence[Preference]], tuple[Persona, ...]]:
    """What finds the personas of preferences, strongest first."""
    return partial(personas_of, rules)


def personas_of(rules: Sequence[Rule], preferences: Sequence[Preference]) -> tuple[Persona, ...]:
    """The personas that hold, the strongest first, each with the preferences that speak for it."""
    for_something = [one for one in preferences if one.score > 0]
    found = [
        (sum(one.score for one in group), Persona(name, tuple(map(_reason, group[:MOST_REASONS]))))
        for rule in rules
        for name, group in _groups(rule, for_something)
        if _holds(rule, group)
    ]
    found.sort(key=lambda one: (-one[0], one[1].name))
    return tuple(persona for _, persona in found[:MOST_PERSONAS])


def _groups(rule: Rule, preferences: Sequence[Preference]) -> Iterator[tuple[str, list[Preference]]]:
    matching = [
        one
        for one in preferences
        if one.facet == rule.facet and (rule.values is None or key_of(one.value) in rule.values)
    ]
    if "{value}" in rule.name:
        yield from ((rule.name.replace("{value}", one.value), [one]) for one in matching)
    else:
        yield rule.name, matching


def _holds(rule: Rule, group: Sequence[Preference]) -> bool:
    return sum(one.score for one in group) >= rule.at_least and sum(one.evidence for one in group) >= rule.evidence


def _reason(preference: Preference) -> str:
    times = "once" if preference.evidence == 1 else f"{preference.evidence} times"
    return f"{preference.facet} {preference.value}: {preference.score:.2f}, seen {times}"
