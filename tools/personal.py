"""What one turn knows of its user, and what it may change in the reply: order, depth, length, tone. Never the facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from knowledge_base.retrieve import INDIFFERENT
from tools.profile.model import Preference, Profile, Slot
from tools.receipts import Used

TOPICS, TAGS, QUESTIONS = 5, 8, 3
MATTERS = 0.1  # a weaker preference changes nothing
STRONG = 0.5  # a stronger one changes no more than this: what questions alone can reach
MOVED = "An equally good passage about it comes first"
TOLD = "The model was told it, to choose depth, tone and examples"

SLOT_NAMES: dict[Slot, str] = {
    "role": "Role",
    "experience_level": "Experience",
    "company_size": "Company size",
    "language": "Language",
    "tone": "Tone",
    "length": "Length of answers",
    "timezone": "Time zone",
}


@dataclass(frozen=True, slots=True)
class Known:
    """The profile as a turn uses it: the artifact of the `get_profile` tool's message."""

    profile: Profile

    @property
    def likings(self) -> tuple[Preference, ...]:
        """The topics that matter, strongest first."""
        return tuple(one for one in self.profile.top("topic", TOPICS) if one.score >= MATTERS)

    @property
    def prefer(self) -> dict[str, float]:
        """Topic → how much passages about it are preferred among equals, in the search's own measure."""
        return {one.value: INDIFFERENT + (1 - INDIFFERENT) * min(1.0, one.score / STRONG) for one in self.likings}

    @property
    def level(self) -> str | None:
        """How much the user says they know: the value of the slot `experience_level`."""
        return self.profile.fact("experience_level")

    @property
    def length(self) -> Literal["short", "long"] | None:
        """How long the user wants answers; None where they did not say."""
        told = self.profile.fact("length")
        return told if told in ("short", "long") else None  # type: ignore[return-value]

    def as_text(self) -> str:
        """What the model reads: a short block that its own values cannot close."""
        if self.profile.is_empty:
            return "Nothing is known of this user yet."
        lines = [
            _line("Told about themselves", [f"{SLOT_NAMES[fact.slot]}: {fact.value}" for fact in self.profile.facts]),
            _line("Cares about", [f"{one.value} ({one.score:.2f})" for one in self.likings]),
            _line("Tags", [tag.name for tag in self.profile.tags[:TAGS]]),
            _line("Asked lately", self.profile.recent_questions[:QUESTIONS]),
        ]
        return "\n".join(["<profile>", *filter(None, lines), "</profile>"])

    def lines(self) -> list[str]:
        """The same for the user themselves, one thing a line."""
        topics = [one.value for one in self.profile.top("topic", TOPICS) if one.score > 0]
        tags = [tag.name for tag in self.profile.tags[:TAGS] if tag.name not in topics]
        told = [f"{SLOT_NAMES[fact.slot]}: {fact.value}" for fact in self.profile.facts]
        asked, tagged = f"You asked about: {', '.join(topics)}", f"Tags: {', '.join(tags)}"
        return [*told, *([asked] if topics else []), *([tagged] if tags else [])]

    def summary(self) -> str:
        """The same in a few words, for people."""
        counts = [(len(self.likings), "topic"), (len(self.profile.facts), "fact"), (len(self.profile.tags), "tag")]
        parts = [f"{count} {noun}{'s' * (count != 1)}" for count, noun in counts if count]
        return ", ".join(parts) or "Nothing known yet"

    def moved(self, topics: Sequence[str]) -> list[Used]:
        """Receipt lines for the topics whose passages came first among equals."""
        return [
            Used(kind="preference", facet="topic", value=topic, entry=f"You care about {topic}", effect=MOVED)
            for topic in dict.fromkeys(topics)
            if topic in self.prefer
        ]

    def shaped(self, slot: Slot, effect: str) -> Used:
        """A receipt line for something told that shaped the reply. Only for slots that hold a value."""
        value = self.profile.fact(slot) or ""
        return Used(
            kind="fact", facet=slot, value=value, entry=f"You told: {SLOT_NAMES[slot].lower()} {value}", effect=effect
        )

    def told_to_model(self) -> list[Used]:
        """Receipt lines for what a language model read, and may have used."""
        facts = [self.shaped(fact.slot, TOLD) for fact in self.profile.facts]
        likings = [
            Used(
                kind="preference",
                facet="topic",
                value=one.value,
                entry=f"You care about {one.value}",
                effect=TOLD,
            )
            for one in self.likings
        ]
        return [*facts, *likings]


def _line(name: str, values: Sequence[str]) -> str:
    return f"{name}: {'; '.join(escape(value, quote=False) for value in values)}" if values else ""
