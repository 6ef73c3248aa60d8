"""What a question asks for, and how well each unit fits that: what the trees of agent/relevance.py cannot know.

They were fitted to conversations about prose, where most of what tells the answer is what was said before. A question
that stands alone is asked of headings, tables and steps as well, so there the words it shares with a unit, with its
heading and with the title of the article count beside what the trees say, and so does how well the search liked the
passage. And some questions tell how their answer looks: a price, a time, steps, a definition.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from agent.candidates import Candidate
from agent.terms import terms
from knowledge_base.passage import Utterance
from tools.sources import Source

OTHER_QUESTION = 0.7  # how much less likely a sentence is below a question that was not asked
OF_ALL_ROWS = 0.4  # how much a word counts that stands in each row of a table
WRONG_KIND = 0.2  # how much less likely a row is without the amount that is asked for, or without a word of it
LESS_KIND = 0.4  # the same for other units of a question that stands alone
RIGHT_KIND = 1.5  # how much likelier an amount is where an amount is asked for
DEFINES = 3.0  # how much likelier a definition is where one is asked for
SHOWS_STEPS = 5.0  # how much likelier a step is where it is asked how something is done, if its list fits that best
TELLS_HOW = 1.5  # the same for a sentence that says what to click
UNFINISHED = 0.5  # how much less likely what is no whole sentence is: a caption, or a piece of a sentence
SAME_QUESTION = 0.6  # share of the words of a heading that a question holds when it asks the same
SHOWS_ALL = 2.0  # how much likelier a row is where all of something, or a comparison, is asked for
ENUMERATES = 8.0  # the same for rows and items under a heading, or after a sentence, that names what is asked for
UNNAMED = 0.4  # how much less likely a row is of which the question names nothing
NAMED_CODE = 6.0  # how much likelier code is in the language that is asked for
REFERS = 0.4  # how much less likely a sentence is that only says where to read on

ALIKE = 0.45  # share of the words of a unit in an earlier answer from which the subject is still the same
MIN_TERMS = 3

# Of a question that stands alone
TREES = 0.9  # exponent of what the trees say, relative to the best
FORMS = 0.5  # of that exponent for rows and steps, of which the trees know little
FIT = 1.25  # exponent of the words shared
UNSAID = 0.05  # what a unit fits that shares no word
UNIT, SECTION, ARTICLE = 0.45, 0.35, 0.2  # what a word counts that the unit, its heading or the title holds
AFTER, BEFORE = 0.8, 0.6  # how well a sentence fits that stands after, or before, one that fits
SEARCH = 1.0  # exponent of the search's score, relative to the best

_AMOUNT = re.compile(r"[$€£¥]\s?\d|\d\s?(?:[%€£]|percent\b|dollars?\b|euros?\b|USD\b|EUR\b|GBP\b)|\bfree\b", re.I)
_TIME = re.compile(
    r"\d(?:[\d–-]*\d)?\s(?:\w+ )?(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?)\b"
    r"|\bat once\b|\b(?:immediate|instant)ly\b",
    re.I,
)
_NUMBER = re.compile(r"\d|\b(?:one|two|three|four|five|six|ten|no (?:upper )?limit|unlimited|as many)\b", re.I)
_KEYS = re.compile(r"\b(?:Ctrl|Cmd|Command|Alt|Option|Shift|Super|Win)\W{0,5}[+-]\W{0,5}\w|\bF\d{1,2}\b|[⌘⌥⇧]")
_KINDS = (  # what a question asks for, and how that looks in an answer
    (re.compile(r"\b(?:costs?|prices?|pricing|how much|fees?|expensive)\b|\bfree\W*$", re.I), _AMOUNT),
    (
        re.compile(
            r"\b(?:how (?:long|soon|fast|quickly|often)|what time|deadline)\b"
            r"|^\W*when (?:is|are|do|does|did|will|can|must|should)\b",
            re.I,
        ),
        _TIME,
    ),
    (re.compile(r"\bhow many\b", re.I), _NUMBER),
    (re.compile(r"\b(?:shortcuts?|hotkeys?|(?:which|what) keys?)\b", re.I), _KEYS),
)
_ASKING = re.compile(r"\b(?:what|when|where|who|why|how)\b", re.I)
_ASKS_ALL = re.compile(
    r"\b(?:what|which) (?:(?:\w+ ){0,3}are|(?:\w+ )?\w+s (?:do|can|does|is|have|may))\b|\blist\b|\boverview\b", re.I
)
_ASKS_FOR_ALL_OF = re.compile(
    r"\b(?:what|which) (?:\w+ ){0,2}?(\w+s) (?:are|can|could|did|do|does|have|is|may|must|should)\b"
    r"|\bwhat are (?:(?:all|my|our|the|your) )+(?:\w+ ){0,2}?(\w+s)\b"
    r"|\blist (?:me )?(?:all )?(?:of )?(?:my |our |the |your )?(?:\w+ ){0,2}?(\w+s)\b",
    re.I,
)
_COMPARES = re.compile(r"\b(?:compar\w+|differ\w*|versus|vs)\b", re.I)
_ASKS_HOW = re.compile(
    r"\b(?:how (?:do|can|could|should|would|to|may)\b|steps? (?:to|for)\b|where (?:do|can) I\b)", re.I
)
_ASKS_WHAT = re.compile(
    r"\W*(?:what(?:'s|’s| is| are| does)|who(?:'s| is| are)|define|explain)\s+(?:an? |the )?(.{2,40}?)"
    r"(?: (?:mean|do|stand for))?(?:\s+and\b.*)?\W*$",
    re.I,
)
_ASKS_MEANING = re.compile(r"\W*(?:what|define|explain)\b", re.I)
_TELLS_HOW = re.compile(
    r"→|\w > \w"
    r"|\b(?:check|choose|click|drag|enable|enter|go to|open the|press|select|tap|type|uncheck|use the)\b",
    re.I,
)
_CLOSING = "\"'”’»)]*`"
_ENDS = frozenset(".!?:…。！？：")
_ADDRESS = re.compile(r"\b\w+://[^\s`<>)]+")
_FENCE = re.compile(r"[`~]{3,}\s*([\w+#-]+)")
_REFERS = re.compile(
    r"^See\b|\b(?:see|read|described|explained|listed|found|is|are) (?:more )?(?:in|under|on|about) \[",
    re.I,
)


@lru_cache(maxsize=8_192)
def words(text: str) -> frozenset[str]:
    """What a text is about, as stems; "vetting" and "vet" have the same one, and addresses are about nothing."""
    stems = terms(_ADDRESS.sub(" ", text))
    return frozenset(stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] else stem for stem in stems)


def stands_alone(question: str, history: Sequence[Utterance], query: str, given: Sequence[Candidate]) -> bool:
    """Whether a question opens a conversation or a new subject: it was searched by itself, and nothing that was found
    is like what was answered before."""
    if not history:
        return True
    answers = [terms(one.text) for one in history if one.role == "assistant"]
    return query.strip() == question.strip() and not any(
        _alike(terms(one.unit.text), answer) > ALIKE for answer in answers for one in given
    )


def _alike(unit: frozenset[str], answer: frozenset[str]) -> float:
    """Share of the words of a unit that an answer holds; a few words alone tell nothing."""
    return len(unit & answer) / len(unit) if len(unit) >= MIN_TERMS else 0.0


def weighed(
    question: str, query: str, given: Sequence[Candidate], likely: Sequence[float], *, alone: bool
) -> list[float]:
    """The probabilities of the trees, with what they cannot know; (given,) in 0..1.

    Args:
        question: As the user wrote it.
        query: As it was searched: with what it takes from what was said before.
        given: What may be quoted, at least one.
        likely: (given,) what the trees say of each.
        alone: Whether the question is understood without what was said before.
    """
    fitting = _alone(question, query, given, likely) if alone else _continued(query, given, likely)
    kinds = _kinds(question)
    return [
        min(1.0, fit * _of_heading(query, one) * _of_kind(one, kinds, alone=alone))
        for one, fit in zip(given, fitting, strict=True)
    ]


def gives(question: str, sources: Sequence[Source]) -> bool:
    """Whether an amount, a time or a number stands anywhere in some sources, where a question asks for one."""
    kinds = _kinds(question)
    return bool(sources) and (not kinds or any(kind.search(source.text) for kind in kinds for source in sources))


def _kinds(question: str) -> list[re.Pattern[str]]:
    """How an answer looks that gives what is asked for: an amount, a time, a number."""
    return [answer for asks, answer in _KINDS if asks.search(question)]


def asks(question: str, heading: str) -> bool:
    """Whether a heading is a question, and the one that was asked: "When …?" does not ask what "What …?" does."""
    asked, about = terms(question), terms(heading)
    if not heading.endswith("?") or not about or len(asked & about) < SAME_QUESTION * len(about):
        return False
    opens, asking = _ASKING.match(heading), {word.lower() for word in _ASKING.findall(question)}
    return opens is None or not asking or opens[0].lower() in asking


def _of_heading(query: str, one: Candidate) -> float:
    return OTHER_QUESTION if one.heading.endswith("?") and not asks(query, one.heading) else 1.0


def _of_kind(one: Candidate, kinds: Sequence[re.Pattern[str]], *, alone: bool) -> float:
    if any(kind.search(one.unit.text) for kind in kinds):
        return RIGHT_KIND
    if not kinds:
        return 1.0
    return WRONG_KIND if one.unit.kind == "row" else LESS_KIND if alone else 1.0


# A question that goes on with a conversation


def _continued(query: str, given: Sequence[Candidate], likely: Sequence[float]) -> list[float]:
    """What the trees say of prose. A row counts half by that and half as much as the best of all, if it holds as many
    of the words searched for as any unit."""
    asked = terms(query)
    held = _held(asked, given)
    most, best = max([*held, 1]), max(likely)

    def row(one: Candidate, probability: float, share: float) -> float:
        named = share == 1 or asked & terms(one.unit.text)
        return float((probability * best) ** 0.5 * share**2 * (1.0 if named else WRONG_KIND))

    return [
        row(one, probability, count / most) if one.unit.kind == "row" else probability
        for one, probability, count in zip(given, likely, held, strict=True)
    ]


def _held(asked: frozenset[str], given: Sequence[Candidate]) -> list[float]:
    """How many of the words each unit or its heading holds; what all rows of a table hold tells little of one row."""
    shared = _shared_by_rows(given, terms)
    counts: list[float] = []
    for one in given:
        held = asked & (terms(one.unit.text) | terms(one.heading))
        common = held & shared.get(paragraph(one), frozenset()) - terms(one.heading)
        counts.append(len(held) - (1 - OF_ALL_ROWS) * len(common))
    return counts


def _shared_by_rows(
    given: Sequence[Candidate], words_of: Callable[[str], frozenset[str]]
) -> dict[tuple[str, int], frozenset[str]]:
    """What all rows of each table hold."""
    tables: dict[tuple[str, int], frozenset[str]] = {}
    for one in given:
        if one.unit.kind == "row":
            held = words_of(one.unit.text)
            shared = tables.get(paragraph(one))
            tables[paragraph(one)] = held if shared is None else shared & held
    return tables


def paragraph(one: Candidate) -> tuple[str, int]:
    """Which paragraph, list or table a unit belongs to."""
    return one.source.passage_id, one.unit.block


# A question that stands alone


def _alone(question: str, query: str, given: Sequence[Candidate], likely: Sequence[float]) -> list[float]:
    best, found = max(likely) or 1.0, max(one.source.score for one in given) or 1.0
    fits, likely = _fits(words(query), given), list(likely)
    asks_how = _ASKS_HOW.search(question) is not None
    for steps in _step_lists(given) if asks_how else ():
        for values in (fits, likely):
            top = max(values[i] for i in steps)
            for i in steps:
                values[i] = top
    enumerated = _enumerated(question, given)
    most, looks = max(fits), _looks(question, given, enumerated)

    def trust(one: Candidate) -> float:
        tells_how = asks_how and (is_step(one) or _TELLS_HOW.search(one.unit.text) is not None)
        is_form = one.unit.kind == "row" or tells_how or _place(one) in enumerated
        return TREES * (FORMS if is_form else 1.0)

    weighed = [
        best
        * (probability / best) ** trust(one)
        * ((fit + UNSAID) / (most + UNSAID)) ** FIT
        * (one.source.score / found) ** SEARCH
        * looks(one, fit / (most or 1.0))
        for one, probability, fit in zip(given, likely, fits, strict=True)
    ]
    return _with_steps(weighed, given) if asks_how else weighed


def _with_steps(weighed: Sequence[float], given: Sequence[Candidate]) -> list[float]:
    """The steps below the heading that answers best are as likely as that answer: they are how it is done."""
    best = max(range(len(given)), key=weighed.__getitem__)
    section = given[best].source.document_id, given[best].heading
    found = list(weighed)
    for steps in _step_lists(given):
        if (given[steps[0]].source.document_id, given[steps[0]].heading) == section:
            found = [weighed[best] if i in steps else value for i, value in enumerate(found)]
    return found


def _step_lists(given: Sequence[Candidate]) -> Iterator[list[int]]:
    """The steps of each procedure: it fits as well as the step that fits best."""
    lists: dict[tuple[str, int], list[int]] = {}
    for i, one in enumerate(given):
        if is_step(one):
            lists.setdefault(paragraph(one), []).append(i)
    yield from lists.values()


def _fits(asked: frozenset[str], given: Sequence[Candidate]) -> list[float]:
    """The share of the question's words, each by its rarity, that a unit, its heading and its article's title hold."""
    held = [words(one.unit.text) | words(_lead_in(one, given)) for one in given]
    rarity = _rarity(asked, held)
    whole = sum(rarity.values()) or 1.0
    shared = _shared_by_rows(given, words)

    def fit(one: Candidate, own: frozenset[str]) -> float:
        above, title = words(one.heading), words(one.source.title)
        common = shared.get(paragraph(one), frozenset()) if one.unit.kind == "row" else frozenset[str]()
        return (
            sum(
                weight
                * (
                    UNIT * (word in own) * (OF_ALL_ROWS if word in common else 1.0)
                    + SECTION * (word in own or word in above)
                    + ARTICLE * (word in own or word in above or word in title)
                )
                for word, weight in rarity.items()
            )
            / whole
        )

    return _carried([fit(one, own) for one, own in zip(given, held, strict=True)], given)


def _carried(fits: Sequence[float], given: Sequence[Candidate]) -> list[float]:
    """What fits, with what is said around it: who goes on with something rarely names it again."""
    found = list(fits)
    follows = [one.source is before.source and one.position == before.position + 1 for before, one in pairwise(given)]
    for i, is_next in enumerate(follows):
        if is_next:
            found[i + 1] = max(found[i + 1], AFTER * found[i])
            found[i] = max(found[i], BEFORE * fits[i + 1])
    return found


def _rarity(asked: frozenset[str], held: Sequence[frozenset[str]]) -> dict[str, float]:
    """What each word of the question weighs: more, the fewer units hold it."""
    counts = Counter(word for own in held for word in own & asked)
    return {word: math.log(1 + (len(held) + 1) / (counts[word] + 1)) for word in asked}


def _lead_in(one: Candidate, given: Sequence[Candidate]) -> str:
    if one.unit.lead_in is None:
        return ""
    return next(
        (other.unit.text for other in given if other.source is one.source and other.index == one.unit.lead_in), ""
    )


def is_step(one: Candidate) -> bool:
    """Whether a unit begins a step of a procedure."""
    return one.unit.marker[:1].isdigit()


def _enumerated(question: str, given: Sequence[Candidate]) -> frozenset[tuple[int, int]]:
    """The places of the rows and items that are asked for together: those below a heading, or after a sentence, that
    names what a question asks for all of, as events in "list all webhook events"."""
    found = _ASKS_FOR_ALL_OF.search(question)
    if found is None:
        return frozenset()
    wanted = words(next(filter(None, found.groups())))
    many = (one for one in given if one.unit.kind in ("row", "item") and not is_step(one))
    return frozenset(_place(one) for one in many if wanted & (words(one.heading) | words(_lead_in(one, given))))


def _place(one: Candidate) -> tuple[int, int]:
    """Where a unit stands: in which passage, and which it is there."""
    return one.rank, one.index


def compares(question: str) -> bool:
    """Whether a question asks how things differ."""
    return _COMPARES.search(question) is not None


def asks_for_all(question: str) -> bool:
    """Whether a question asks for all of something."""
    return _ASKS_ALL.search(question) is not None


def names_language(question: str, one: Candidate) -> bool:
    """Whether a unit is code in a language that the question names."""
    language = _FENCE.match(one.unit.text) if one.unit.kind == "code" else None
    return language is not None and language[1].lower() in question.lower().strip(" ?.!").split()


def _looks(
    question: str, given: Sequence[Candidate], enumerated: frozenset[tuple[int, int]]
) -> Callable[[Candidate, float], float]:
    """How well the form of a unit fits the question: a definition, a step, a row, or only a pointer elsewhere. It is
    told how well its words fit, of the best."""
    defines = _definition(question)
    asks_how = _ASKS_HOW.search(question) is not None
    asks_meaning = _ASKS_MEANING.match(question) is not None
    wants_rows = asks_for_all(question) or compares(question)
    asked, shared = words(question), _shared_by_rows(given, words)

    def of_row(one: Candidate) -> float:
        if wants_rows:
            return SHOWS_ALL
        return 1.0 if asked & words(one.unit.text) - shared[paragraph(one)] else UNNAMED

    def of_how(one: Candidate, fit: float) -> float:
        if is_step(one):
            return float(SHOWS_STEPS**fit)
        return TELLS_HOW if _TELLS_HOW.search(one.unit.text) else 1.0

    def look(one: Candidate, fit: float) -> float:
        factor = REFERS if _REFERS.search(_raw(one)) else 1.0
        if (defines and defines.match(one.unit.text)) or (asks_meaning and _names(one, asked)):
            factor *= DEFINES
        if one.unit.kind == "sentence" and not _is_whole(one.unit.text):
            factor *= UNFINISHED
        if names_language(question, one):
            factor *= NAMED_CODE
        if _place(one) in enumerated:
            factor *= ENUMERATES
        elif one.unit.kind == "row":
            factor *= of_row(one)
        return factor * of_how(one, fit) if asks_how else factor

    return look


def _names(one: Candidate, asked: frozenset[str]) -> bool:
    """Whether a unit is "Term: what it means", and the term is one that was asked about."""
    term, colon, _ = one.unit.text.partition(": ")
    named = words(term) if colon and one.unit.kind == "item" and one.unit.marker == "-" else frozenset[str]()
    return bool(named) and named <= asked


def _is_whole(text: str) -> bool:
    return not text[:1].islower() and text.rstrip(_CLOSING)[-1:] in _ENDS


def _definition(question: str) -> re.Pattern[str] | None:
    """How a sentence opens that defines what the question asks for."""
    about = _ASKS_WHAT.match(question)
    name = about[1].strip(" ?.!\"'") if about else ""
    if not name:
        return None
    before, after = r"(?:an? |the )?(?:[\w-]+ ){0,3}\(?", r"s?\)?(?: \([^)]*\))? (?:is|are|means|lets|describes)\b"
    return re.compile(before + re.escape(name) + after, re.I)


def _raw(one: Candidate) -> str:
    return one.source.text[one.unit.start : one.unit.end]
