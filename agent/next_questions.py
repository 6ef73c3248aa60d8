"""Questions to offer after an answer, made of the headings of passages that were found."""

import re
from collections.abc import Sequence

from agent.candidates import candidates
from agent.quotable import TO_AN_AI
from agent.terms import terms
from tools.sources import Source

_NOT_A_QUESTION = re.compile(
    r"(?:overview|introduction|intro|summary|questions?|faqs?|notes?|examples?|more|see also|related|other|details|"
    r"general|instructions|getting started|background|conclusion|limitations?|known issues|what if…?|and then\??)\W*$",
    re.IGNORECASE,
)
_ASKING = ("how", "what", "when", "where", "who", "why", "which")
_IS_ASKED = re.compile(  # "How long does it take" asks; "How escrow protects a payment" is a clause
    r"\w+ (?:\w+ )?(?:can|could|do|does|did|is|are|am|was|were|will|would|should|may|must|has|have)\b", re.IGNORECASE
)
_VERBS = """
    accept access activate add adjust apply approve archive ask assign authenticate avoid backup block boost
    build buy calculate cancel change check choose clear close compare complete configure confirm connect
    contact convert copy create customize deactivate decline delete deploy disable dispute download edit enable
    end enter export extend file fill filter find fix fund generate get give handle hide hire host import
    increase install integrate invite join keep leave link list lock log make manage merge migrate modify
    monitor move open order organize pause pay post prepare prevent protect publish read receive recover reduce
    refund register remove rename renew replace report request reset resolve restart restore resume retry return
    review revoke rotate run save schedule search secure select send set share sign solve sort split start stop store
    submit subscribe switch sync test track transfer troubleshoot turn unlock unsubscribe update upgrade upload
    use validate verify view withdraw write
"""
_IMPERATIVE = frozenset(_VERBS.split())
MAX_FOLLOW_UPS = 3
MAX_HEADING_CHARS = 70
LEAST_TERMS = 2  # of a heading that is clear by itself
_READER_SPEAKS = re.compile(r"\b(?:I|me|my|we|our)\b")  # "The refund differs from what I paid"
_SECOND_ACT = re.compile(r"\b\w+ing\b", re.IGNORECASE)  # "Deleting or merging payees"


def follow_ups(
    question: str, sources: Sequence[Source], used_numbers: Sequence[int], asked: Sequence[str]
) -> list[str]:
    """Up to three questions that the passages found, but not used, would answer; none that was asked before.

    `as_question` says how a heading becomes one.
    """
    used = {source.document_id for source in sources if source.number in used_numbers}
    order = sorted(sources, key=lambda source: (source.number in used_numbers, source.document_id not in used))
    said = [terms(text) for text in [*asked, question]]
    found: list[str] = []
    for heading in dict.fromkeys(
        _clear(heading, source) for source in order for heading in _headings(source, used_numbers)
    ):
        about = terms(heading)
        if len(found) == MAX_FOLLOW_UPS:
            break
        if about and not any(len(about & other) >= 0.75 * len(about) for other in said):
            found.append(as_question(heading))
            said.append(about)
    return found


def _clear(heading: str, source: Source) -> str:
    """A heading that says what it is about to who does not see its article; else the article's title."""
    is_clear = len(terms(heading)) >= LEAST_TERMS or as_question(heading).endswith("?")
    return heading if is_clear or not _is_telling(source.title) else source.title


def _headings(source: Source, used_numbers: Sequence[int]) -> list[str]:
    inside = list(dict.fromkeys(one.heading for one in candidates([source])))
    headings = inside if source.number not in used_numbers else inside[1:]
    return [heading for heading in headings if _is_telling(heading)]


def _is_telling(heading: str) -> bool:
    plain = heading.strip()
    return (
        3 < len(plain) <= MAX_HEADING_CHARS
        and plain[0].isalnum()
        and not plain.endswith(("…", ":", ","))
        and not _NOT_A_QUESTION.fullmatch(plain)
        and not TO_AN_AI.search(plain)
        and len(terms(plain)) >= 1
    )


def as_question(heading: str) -> str:
    """A heading or a title as something that a reader could ask: "How do I …?" for an imperative or what somebody does,
    as it is where it speaks for the reader, else "Explain …"."""
    plain = re.sub(r"^\d+(?:\.\d+)*[.)]?\s+", "", " ".join(heading.replace("`", "").split())).rstrip(".")
    if plain.endswith("?") or _READER_SPEAKS.search(plain):
        return plain
    first, _, rest = plain.partition(" ")
    if first.lower() == "how" and rest.lower().startswith("to "):
        return f"How do I {rest[3:]}?"
    if first.lower() in _ASKING:
        return f"{plain}?" if _IS_ASKED.match(plain) else f"Explain {first.lower()} {rest}"
    if first.lower().rstrip(",") in _IMPERATIVE and rest:
        return "How do I " + re.sub(r"\byour\b", "my", f"{first.lower()} {rest}?", flags=re.IGNORECASE)
    if (verb := _verb(first)) and rest and not _SECOND_ACT.search(rest):
        return "How do I " + re.sub(r"\byour\b", "my", f"{verb} {rest}?", flags=re.IGNORECASE)
    return f"Explain {_mid_sentence(plain)}"


def _verb(word: str) -> str | None:
    """What somebody does who is creating, editing or resetting something."""
    stem = word.lower().removesuffix("ing")
    if stem == word.lower():
        return None
    return next((verb for verb in (stem, f"{stem}e", stem[:-1]) if verb in _IMPERATIVE), None)


def _mid_sentence(heading: str) -> str:
    """A heading without the capital of its first word, unless the others have theirs or the word is a name."""
    first, _, rest = heading.partition(" ")
    is_plain = first in ("A", "An", "The") or (first[1:].islower() and rest == rest.lower())
    return heading[0].lower() + heading[1:] if is_plain and rest else heading
