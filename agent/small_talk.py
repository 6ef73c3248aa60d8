"""Short replies to messages that ask nothing of the documents: greetings, thanks, who are you. Rules are data."""

import re
from collections.abc import Sequence

from knowledge_base.passage import Utterance

MAX_CHARS = 80

_GREETING = (
    r"(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day)|yo)"
    r"(?: (?:there|all|everyone|team|bot|again))?"
)
_THANKS = (
    r"(?:many |ok(?:ay)?,? |great,? |perfect,? |cool,? |no,? )*"
    r"(?:thanks|thank you|thank u|thx|ty|cheers|much appreciated)"
    r"(?: (?:a lot|so much|very much|again|for (?:your|the) help|that helps|that helped|bye))*"
)
_BYE = r"(?:good ?bye|bye(?: bye)?|see you(?: later)?|see ya|have a (?:nice|good|great) (?:day|one|evening|weekend))"
_WELL = (
    r"(?:great|perfect|awesome|nice|cool|excellent|got it|i see|understood|that helps|that helped|that's all|all good|"
    r"all clear|sounds good)"
)
_HOW_ARE_YOU = r"(?:how are you|how's it going|how are things|what's up|sup)(?: (?:today|doing))?"
_WHO = (
    r"(?:who|what) are you|what is your name|what's your name|"
    r"are you (?:a |an )?(?:human|person|bot|robot|ai|real|real person|machine|chatbot)"
)
_ABILITY = (
    r"(?:what|how) can you (?:do|help)(?: (?:for me|me|with|me with))?|help(?: me)?(?: please)?|what do you do|"
    r"how do you work|how does this work|what can i ask(?: you)?"
)

REPLIES: tuple[tuple[str, str], ...] = (
    (_GREETING, "Hello! What would you like to know?"),
    (_THANKS, "You're welcome! Is there anything else you would like to know?"),
    (_BYE, "Goodbye! Come back whenever you have a question."),
    (_HOW_ARE_YOU, "All is well, thank you. What would you like to know?"),
    (_WHO, "I'm the support assistant. I search the documents, answer with what they say, and show where it stands."),
    (
        _ABILITY,
        "Ask me a question in your own words. I search the documents and answer with what they say; every statement "
        "has a number that opens its source. If the documents don't answer it, I tell you so.",
    ),
)
ACKNOWLEDGED = "Good. Is there anything else you would like to know?"
NOTHING_SAID = "What would you like to know?"

_COMPILED = tuple((re.compile(pattern), reply) for pattern, reply in REPLIES)
_ACKNOWLEDGES = re.compile(_WELL)
_OPENING = re.compile(rf"(?:{_GREETING}|{_THANKS}|{_WELL})(?=[\s,.!;:]|$)[\s,.!;:]*")
_NOT_WORDS = re.compile(r"[^\w\s',]+")


def small_talk(message: str, history: Sequence[Utterance]) -> str | None:
    """The reply to a message that is nothing but small talk; None when it asks or tells something more."""
    said = " ".join(_NOT_WORDS.sub(" ", message.lower().replace("’", "'")).split()).strip(" ,'")
    if not said:
        return NOTHING_SAID
    if len(said) > MAX_CHARS:
        return None
    reply = _reply(said) or _reply(_OPENING.sub("", said, count=1).strip(" ,'"))
    if reply is None and _ACKNOWLEDGES.fullmatch(said) and not _was_asked(history):
        return ACKNOWLEDGED
    return reply


def _reply(said: str) -> str | None:
    return next((reply for pattern, reply in _COMPILED if pattern.fullmatch(said)), None)


def _was_asked(history: Sequence[Utterance]) -> bool:
    """Whether the assistant ended on a question, so that a short message is the answer to it."""
    return bool(history) and history[-1].role == "assistant" and history[-1].text.rstrip().endswith("?")
