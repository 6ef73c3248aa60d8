"""Which parts of a message are the user's own words about themselves, and which only stand in it.

People paste what others wrote, speak about friends, play a role, turn something down, give orders to the machine. None
of that says who they are. What is left is cut into clauses, and each knows what may be learned from it. The rules are
conservative: where a clause could be someone else's, it is. How people say these things is data (speech.yaml), in
seven languages.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

CONSIDERED = 1500  # characters of a message; what comes later is rarely the user's own words, and costs time
MOST_CLAUSES = 40  # of a message; people do not introduce themselves at greater length
WORDS_REPEATED = 4  # as many words in a row that stood in a reply are taken from it
SHARE_REPEATED = 0.5  # the part of a sentence's runs of words that makes the whole of it taken from a reply
MANY_WORDS = 14  # a statement so long in which the user doesn't occur was not written by them for us
GONE = "\ufffc"  # stands for each character that is not the user's own
PHRASES = Path(__file__).parent / "speech.yaml"


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence in the user's own words.

    Attributes:
        sentence: All of its sentence, with what is not the user's left out.
        claims: What it says may be so of the user: it is no question, no condition, no report of what others say.
        about: It may tell what the user asks about.
        against: It turns something down.
    """

    text: str
    sentence: str
    claims: bool
    about: bool
    against: bool = False


@dataclass(frozen=True, slots=True)
class Speech:
    """The user's own clauses, in order; `whole` when they are all of the message."""

    clauses: tuple[Clause, ...] = ()
    whole: bool = True

    @property
    def sentences(self) -> tuple[str, ...]:
        """Those of the clauses, each once."""
        return tuple(dict.fromkeys(clause.sentence for clause in self.clauses))

    @property
    def asked(self) -> str:
        """What may tell the subject of the message, as one text."""
        return " ".join(clause.text for clause in self.clauses if clause.about)


def own_speech(message: str, *, replies: Sequence[str] = ()) -> Speech:
    """Takes apart what the user wrote. `replies` are earlier answers of the assistant, whose words may come back."""
    text = _even(message[:CONSIDERED])
    if _phrases("takeover").search(text):
        return Speech((), whole=False)
    visible = _without_foreign(text)
    repeated = _Repeated(replies)
    clauses: list[Clause] = []
    whole = len(message) <= CONSIDERED and GONE not in visible
    about_others = False
    for sentence in _sentences(visible):
        if _phrases("make_believe").search(sentence):
            return Speech(tuple(clauses), whole=False)
        if _is_foreign(sentence, about_others) or repeated.holds(
            sentence, alone=len(text.strip()) <= len(sentence) + 1
        ):
            about_others = about_others or bool(_about_others().search(sentence))
            whole = False
            continue
        found = list(_clauses(sentence))
        if found and found[0].against and _says_nothing_more(found[0].text):
            clauses = _turned_down(clauses)
        about_others = about_others or len(found) < len(_cut(sentence))
        whole = whole and len(found) == len(_cut(sentence)) and all(one.about for one in found)
        whole = whole and not any(_phrases(kind).search(sentence) for kind in ("except", "not_but"))
        clauses.extend(found)
    return Speech(tuple(clauses[:MOST_CLAUSES]), whole=whole and len(clauses) <= MOST_CLAUSES)


def opens_question(clause: str) -> bool:
    """It begins as a question does."""
    return bool(_phrases("asking").match(clause))


def _even(text: str) -> str:
    """The text in its usual form, so that one pattern fits all spellings and no run of blanks costs time."""
    usual = unicodedata.normalize("NFC", text).translate(_USUAL)
    return re.sub(r"[^\S\n]+", " ", re.sub(r"\s*\n\s*", "\n", usual)).strip()


_USUAL = {0x2019: "'", 0x2018: "'", 0x02BC: "'", 0x200B: " ", ord("\r"): "\n", 0x2028: "\n"}


@cache
def _data() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = yaml.safe_load(PHRASES.read_text("utf-8"))
    return found


def _source(kind: str) -> str:
    return "|".join(_data()[kind].values())


@cache
def _phrases(kind: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{_source(kind)})(?!\w)", re.IGNORECASE)


# What is not the user's own


@cache
def _about_others() -> re.Pattern[str]:
    subject = rf"(?:{_source('people')})(?: of (?:mine|ours)| who \w+| and (?:he|she|they|\w+ \w+))?"
    likes = rf"(?:{_source('anyone')})"
    does = rf"(?:\w+ly |also |just |always |still |only )?(?:{_source('attributes')})"
    return re.compile(rf"(?<![\w'])(?:{likes}|(?:{subject})(?:(?='s)|(?='re)| ){does})(?!\w)", re.IGNORECASE)


_THEIRS = re.compile(r"\b(?:he|she|him|his|her|hers|they|their|them)\b", re.IGNORECASE)


def _is_foreign(sentence: str, about_others: bool) -> bool:
    """Nothing in the sentence is about the user."""
    if _phrases("unreal").search(sentence) or _phrases("on_behalf").search(sentence):
        return True
    if _phrases("command").search(sentence) and not opens_question(sentence):
        return True
    return about_others and bool(_THEIRS.search(sentence)) and not _phrases("first_person").search(sentence)


_HEADER = (
    "(?:from|to|cc|subject|date|sent|von|an|betreff|gesendet|datum|de|à|objet|envoyé|para|asunto|fecha|da|a|oggetto|data|"
    "assunto|van|aan|onderwerp)"
)
_RULE = r"[ \t]*(?:-{3,}|={3,}|\*{3,}|_{3,})[ \t]*"
_FOREIGN = [
    re.compile(r"(?ms)^[ \t]*(```|~~~).*?(?:^[ \t]*\1[^\n]*$|\Z)"),  # a block of code, also one that never ends
    re.compile(r"```.*?(?:```|\Z)", re.DOTALL),
    re.compile(r"`[^`\n]{1,400}`"),
    re.compile(r"(?m)^ ?(?:>|&gt;|\|)[^\n]*(?:\n(?=[a-z])[^\n]*)?"),  # quoted lines, and what ran over
    re.compile(
        rf"(?ims)^[ \t*]*{_HEADER}[ \t]?:[ \t*]*\S[^\n]*\n(?:[^\n]*\n){{0,2}}?[ \t*]*{_HEADER}[ \t]?:.*\Z"
    ),  # an e-mail
    re.compile(
        r"(?is)(?:<\||\[/?INST\]|<<SYS>>|\[system\]|^#{1,6} ?(?:system|instructions?|prompt)\b).*\Z", re.MULTILINE
    ),
    re.compile(r"(?is)<([a-z][\w-]*)(?:\s[^<>]*)?>.*?(?:</\1\s*>|\Z)"),  # marked-up text
    re.compile(rf"(?s)(?:^|\n){_RULE}\n.*?(?:\n{_RULE}(?=\n|\Z)|\Z)"),  # between lines
    re.compile(r"(?s)“.*?(?:”|\Z)|„.*?(?:[“”]|\Z)|«.*?(?:»|\Z)|‹.*?(?:›|\Z)|「.*?(?:」|\Z)|『.*?(?:』|\Z)"),
    re.compile(r'(?<![\w"])"[^"]*(?:"|\Z)'),
    re.compile(r"(?<!\w)''.*?(?:''|\Z)|(?<!\w)'(?=\w)(?:[^'\n]|'(?=\w)){3,160}'(?!\w)", re.DOTALL),
]
_SPEAKER = re.compile(
    r"(?m)^[ \t\[*-]*(?:\d[\d:.,\s/apm\]-]*)?[\]\s*]*"
    r"(?!(?:question|q|note|nb|ps|p\.s|edit|update|context|background|tl;?dr|fyi|about me|me|problem|issue|my \w+|also|"
    r"goal|task|request|urgent|help|hi|hello|thanks|error|bug|feature|first|second|frage|pregunta|domanda|pergunta|vraag)"
    r"\b)"
    r"(?:[A-Z][\w.'-]*(?: [A-Z][\w.'-]*){0,2}|system|assistant|user|human|bot|agent|ai|customer|support)"
    r"(?: \([^)\n]{1,30}\))?[*]*:[ \t][^\n]*",
)


def _without_foreign(text: str) -> str:
    """The text with every character of what was pasted, quoted or marked up replaced."""
    for pattern in (*_FOREIGN, _SPEAKER):
        text = pattern.sub(_gone, text)
    pasted = _phrases_start("pasted_below").search(text)
    if pasted is None:
        return text
    start = max(text.rfind(end, 0, pasted.start()) for end in ".!?\n") + 1  # the sentence that leads to it goes too
    return text[:start] + _blank(text[start:])


@cache
def _phrases_start(kind: str) -> re.Pattern[str]:
    """As `_phrases`, for phrases that may end in a colon."""
    return re.compile(rf"(?<!\w)(?:{_source(kind)})", re.IGNORECASE)


def _gone(match: re.Match[str]) -> str:
    return _blank(match.group())


def _blank(text: str) -> str:
    """Line ends stay, so that what is before and behind does not become one sentence."""
    return re.sub(r"[^\n]", GONE, text)


class _Repeated:
    """Recognises sentences that stood in the assistant's replies."""

    def __init__(self, replies: Sequence[str]) -> None:
        self._said = [_words(reply) for reply in replies]
        self._runs = {run for words in self._said for run in _runs(words)}
        self._joined = [f" {' '.join(words)} " for words in self._said]

    def holds(self, sentence: str, *, alone: bool) -> bool:
        """Asking again what a reply suggested to ask is the user's own act, when it is `alone` all of the message."""
        words = _words(sentence)
        if alone and sentence.rstrip().endswith("?"):
            return False
        if len(words) >= WORDS_REPEATED - 1 and any(f" {' '.join(words)} " in joined for joined in self._joined):
            return True
        runs = _runs(words)
        return bool(runs) and sum(run in self._runs for run in runs) >= SHARE_REPEATED * len(runs)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", _even(text).casefold())


def _runs(words: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + WORDS_REPEATED]) for at in range(len(words) - WORDS_REPEATED + 1)]


# Sentences and clauses

_SENTENCE = re.compile(r"[^\n.!?;…]+(?:[.](?=\S)[^\n.!?;…]*)*[.!?…]*")
_CUT = re.compile(
    r"\s*(?:,(?!\d)|\(|\)|:|\s[-–—]+\s|—)\s*"
    r"|\s+(?=(?:but|however|although|though|because|so|and|or|while|whereas)\s+"
    r"(?:i|i'm|i've|we|we're|my|our|he|she|they|the|how|what|where|when|which|can|could|do|does|is|are|please|wants?|not)"
    r"\b)"
    r"|\s+(?=(?:aber|sondern|mais|pero|sino|ma|mas|maar)\s)",
    re.IGNORECASE,
)
_JOINT = re.compile(
    r"(?:(?:and|but|or|so|because|since|also|then|however|although|though|while|whereas|well|"
    r"aber|mais|pero|ma|mas|maar|und|et|y|e|en)\s+)+",
    re.IGNORECASE,
)


def _sentences(visible: str) -> Iterator[str]:
    for match in _SENTENCE.finditer(visible):
        sentence = match.group().replace("\t", " ").strip(" \u2022*-–—")
        if re.search(r"[^\W_]", sentence.replace(GONE, "")):
            yield sentence


def _cut(sentence: str) -> list[str]:
    return [part for part in (one.strip() for one in _CUT.split(sentence)) if re.search(r"\w", part.replace(GONE, ""))]


def _clauses(sentence: str) -> Iterator[Clause]:
    """The clauses of a sentence that are the user's; those of others, and what hangs on them, are left out."""
    parts = _cut(_phrases("not_but").sub(lambda match: GONE * len(match.group()), sentence))
    others = against = False
    told = sentence.replace(GONE, "").strip()
    reported = bool(_phrases("reported").search(sentence))
    impersonal = len(told.split()) >= MANY_WORDS and not sentence.endswith("?") and not _is_personal(sentence)
    doubtful = bool(_phrases("not_now").search(sentence)) or GONE in sentence
    for at, part in enumerate(parts):
        body = _JOINT.sub("", part, count=1) if _JOINT.match(part) else part
        own = _is_personal(body)
        if _about_others().search(body):
            others = True
        elif own:
            others = False
        if others:
            continue
        if _phrases("against").search(body):
            against = True
        elif own:
            against = False
        last_of_question = sentence.endswith("?") and at == len(parts) - 1
        asks = last_of_question or opens_question(body)
        followed = sentence.endswith("?") and not last_of_question and not any(map(_opens, parts[at + 1 :]))
        yield Clause(
            text=_without_exceptions(body),
            sentence=told,
            claims=not (asks or followed or reported or doubtful or against),
            about=not (against or impersonal),
            against=against,
        )


def _is_personal(text: str) -> bool:
    return bool(_phrases("first_person").search(text)) or opens_question(text)


def _opens(part: str) -> bool:
    return opens_question(_JOINT.sub("", part, count=1))


def _without_exceptions(clause: str) -> str:
    """Without what the clause excludes ("by card instead of by invoice")."""
    kept = re.sub(rf"{_phrases('except').pattern}[^,.;!?]*", " ", clause, flags=re.IGNORECASE)
    return " ".join(kept.replace(GONE, " ").split())


def _says_nothing_more(clause: str) -> bool:
    """It turns down what was said before ("Taxes? Not interested.")."""
    rest = _phrases("first_person").sub(" ", _phrases("against").sub(" ", clause))
    return not re.search(
        r"\w{4,}", re.sub(r"\b(?:really|thanks|that|this|them|very|much|please|about|sorry)\b", " ", rest, flags=re.I)
    )


def _turned_down(clauses: list[Clause]) -> list[Clause]:
    """The last sentence was what is turned down now."""
    if not clauses:
        return clauses
    last = clauses[-1].sentence
    return [
        Clause(one.text, one.sentence, claims=False, about=False, against=True) if one.sentence == last else one
        for one in clauses
    ]
