"""Messages that ask nothing of the documents: greetings, thanks, who are you, and complaints. Rules are data."""

import re
from collections.abc import Sequence

from knowledge_base.passage import Utterance

MAX_CHARS = 80

_GREETING = (
    r"(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day)|yo|"
    r"hallo|guten (?:morgen|tag|abend)|bonjour|salut|bonsoir|hola|buen[oa]s (?:d[ií]as|tardes|noches)|ciao|"
    r"buon ?giorno|ol[aá]|bom dia)"
    r"(?: (?:there|all|everyone|team|bot|again))?"
)
_THANKS = (
    r"(?:many |ok(?:ay)?,? |great,? |perfect,? |cool,? |no,? )*"
    r"(?:thanks|thank you|thank u|thx|ty|cheers|much appreciated|danke|merci|gracias|grazie|obrigad[oa]|dank je)"
    r"(?:,? (?:a lot|so much|very much|again|for (?:your|the) help|that helps|that helped|that's all|bye))*"
)
_BYE = r"(?:good ?bye|bye(?: bye)?|see you(?: later)?|see ya|have a (?:nice|good|great) (?:day|one|evening|weekend))"
_WELL = (
    r"(?:ok|okay|fine|alright|great|perfect|awesome|nice|cool|excellent|good|got it|i see|understood|that helps|"
    r"that helped|that's all|all good|"
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

_KNOWN = (
    r"(?:what|do you) (?:all |else )?(?:(?:do|have|did) you (?:already |all )?)?"
    r"(?:know|remember|learn(?:ed|t)?|noted?|stored?|saved?|keep|kept)(?: (?:anything|something|everything))?"
    r"(?: so far| already)? (?:about|of|on) me(?: so far| already| by now| yet)?|"
    r"what is known (?:about|of) me|do you (?:know|remember) (?:who i am|me)|who am i"
)
_FORGET = (
    r"(?:please )?(?:can you |could you )?(?:please )?(?:forget|erase|delete) "
    r"(?:me|(?:about )?(?:everything|all|what|anything)(?: that)?(?: you(?:'ve| have)? (?:know|learned|learnt|noted))?"
    r" (?:about|of) me|what i(?:'ve| have)? told you|everything i(?:'ve| have)? told you)(?: please)?"
)

_BAD = (
    r"(?:(?:so|really|very|totally|completely|absolutely|just) )?"
    r"(?:useless|terrible|awful|horrible|bad|garbage|rubbish|ridiculous|a joke|annoying|frustrating|unhelpful|no help|"
    r"not helpful|stupid|broken|crap|shit|wrong|worthless)"
)
_ANNOYED = (
    rf"(?:(?:(?:this|that|it|your (?:\w+ )?\w+)(?: is|'s| was)|(?:you|they)(?: are|'re)|your \w+ are) {_BAD}|{_BAD}|"
    r"(?:you|this) sucks?|nothing works|nothing is working|i hate (?:this|you|it)|"
    r"(?:that|this|it) (?:didn't|did not|doesn't|does not|isn't|is not) help(?:ful|ing)?|"
    r"i(?:'m| am) (?:(?:so|really|very) )?(?:angry|furious|annoyed|frustrated|fed up|upset))"
)
_NOT_ASKED = (
    r"what i (?:asked|meant|want|wanted|need|needed|am asking|was asking)(?: for| about)?|"
    r"(?:the|an|my) (?:answer|question)"
)
_NO_HELP = (
    rf"(?:no|nope|nah|not (?:really|quite|it|that|this|this one|helpful|{_NOT_ASKED})|"
    r"wrong(?: answer| one| article)?|incorrect|"
    r"(?:that|this|it)(?: is|'s| was|s)(?: just| still| simply| totally| completely)? (?:wrong|incorrect|no help|"
    rf"(?:of )?no use|not (?:right|correct|true|it|that|helpful|helping|useful|working|{_NOT_ASKED}))|"
    r"(?:(?:that|this|it|still|you|your answer) )?"
    r"(?:didn't|did not|doesn't|does not|don't|didnt|doesnt|isn't|isnt|is not|not) "
    r"(?:help(?:ful|ing|ed)?(?: me| at all)?|work(?:ing|ed)?(?: for me| at all| either)?|"
    r"answer(?:ed)? (?:my|the) question|make (?:any )?sense|understand(?: me| the question| my question)?)|"
    r"(?:that|this|it) makes no sense|you(?: are|'re|re) (?:wrong|mistaken|not (?:listening|helping|answering))|"
    r"(?:i(?:'ve| have)? )?(?:already )?(?:tried|did|done|read|checked|seen) (?:that|this|it|all that|all of that)"
    r"(?: already| before| too)?|same (?:problem|error|thing|issue|answer)(?: again| as before)?|"
    r"(?:still )?no (?:luck|help|use)|still (?:broken|wrong|stuck|failing|nothing|the same)|(?:please )?try again)"
)

ANYTHING_ELSE = "Is there anything else you would like to know?"
BYE = "Goodbye! Come back whenever you have a question."

REPLIES: tuple[tuple[str, str], ...] = (
    (_GREETING, "Hello! What would you like to know?"),
    (_THANKS, f"You're welcome! {ANYTHING_ELSE}"),
    (_BYE, BYE),
    (_HOW_ARE_YOU, "All is well, thank you. What would you like to know?"),
    (_WHO, "I'm the support assistant. I search the documents, answer with what they say, and show where it stands."),
    (
        _ABILITY,
        "Ask me a question in your own words. I search the documents and answer with what they say; every statement "
        "has a number that opens its source. If the documents don't answer it, I tell you so.",
    ),
    (
        _FORGET,
        "I can't delete anything from within a conversation. On the chat page, under “Your profile”, *Reset* forgets "
        "what was learned about you, and *Forget everything* your conversations too.",
    ),
)
SORRY = (
    "I'm sorry that this is not going well. Tell me in a sentence what you were trying to do and what happened "
    "instead, or ask for a person."
)
ACKNOWLEDGED = f"Good. {ANYTHING_ELSE}"
NOTHING_SAID = "What would you like to know?"

_COMPILED = tuple((re.compile(pattern), reply) for pattern, reply in REPLIES)
_IF_UNASKED = (  # after a question of the assistant, these answer it
    (re.compile(_WELL), ACKNOWLEDGED),
    (re.compile(rf"{_ANNOYED}(?:(?:,| and|, and)? {_ANNOYED})*"), SORRY),
)
_FAULT = rf"(?:{_NO_HELP}|{_ANNOYED})"
_REJECTS = re.compile(rf"(?:(?:but|sorry|hm+|well|no),? )*{_FAULT}(?:(?:,| and|, and)? {_FAULT})*")
_ANSWERS = re.compile(r"(?:no|nope|nah|not (?:really|quite)|i (?:did|have)(?: that| it)?)")
_DECLINES = re.compile(r"(?:no|nope|nah|nothing)(?: thanks| thank you|, that's all| that's all| more| else)*")
_OPENING = re.compile(rf"(?:{_GREETING}|{_THANKS}|{_WELL})(?=[\s,.!;:]|$)[\s,.!;:]*")
_ASKS_KNOWN = re.compile(_KNOWN)
_NOT_WORDS = re.compile(r"[^\w\s',]+")


def small_talk(message: str, history: Sequence[Utterance]) -> str | None:
    """The reply to a message that is nothing but small talk; None when it asks or tells something more."""
    said = _said(message)
    if not said:
        return NOTHING_SAID
    if len(said) > MAX_CHARS:
        return None
    reply = _reply(said) or _reply(_OPENING.sub("", said, count=1).strip(" ,'"))
    if reply is None and not _was_asked(history):
        return _first(_IF_UNASKED, said)
    if reply is None and history[-1].text.endswith(ANYTHING_ELSE) and _DECLINES.fullmatch(said):
        return BYE
    return reply


def rejects(message: str, history: Sequence[Utterance]) -> bool:
    """Whether a message only says that the last answer was wrong or no help."""
    said = _said(message)
    if not history or len(said) > MAX_CHARS or (_was_asked(history) and _ANSWERS.fullmatch(said)):
        return False
    return _REJECTS.fullmatch(said) is not None


def asks_what_is_known(message: str) -> bool:
    """Whether the user wants to hear what is known of them."""
    said = _said(message)
    return len(said) <= MAX_CHARS and any(map(_ASKS_KNOWN.fullmatch, (said, _OPENING.sub("", said, count=1))))


def _said(message: str) -> str:
    return " ".join(_NOT_WORDS.sub(" ", message.lower().replace("’", "'")).split()).strip(" ,'")


def _reply(said: str) -> str | None:
    return _first(_COMPILED, said)


def _first(replies: Sequence[tuple[re.Pattern[str], str]], said: str) -> str | None:
    return next((reply for pattern, reply in replies if pattern.fullmatch(said)), None)


def _was_asked(history: Sequence[Utterance]) -> bool:
    """Whether the assistant ended on a question, so that a short message is the answer to it."""
    return bool(history) and history[-1].role == "assistant" and history[-1].text.rstrip().endswith("?")
