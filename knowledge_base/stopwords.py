"""English words that say nothing about the subject of a question, with what apostrophes leave behind (don't: t); and
words of talk, which say nothing of it either in a conversation, but may be what a document is about."""

_WORDS = """
    a about after all also am an and any are as at be because been before being but by can cannot could d did didn do
    does doesn doing don done dont down each either else ever every few for from further get gets getting give go goes
    going got had has hasn have haven having he hello help her here hers hey hi him his how however i if im in into is
    isn it its ive just know let like ll m many may maybe me might mine more most much must my need needs no nor not now
    of off ok okay on once only or other our ours out over own per please possible re really s say see shall she should
    shouldn so some still such sure t tell than thank thanks that the their theirs them then there these they thing
    things this those through to too understand up us use using ve very via want wants was wasn way we well were weren
    what whats when where whether which while who whom whose why will with without won would wouldn yeah yes yet you
    your yours
"""

_TALK = """
    actually ah alright another anyone anything anyway appreciate awesome basically believe bit call case cases cool
    correct curious details difference different exactly excellent explain fine glad good great guess happen happened
    happening happens happy hear heard helpful honest idea info information interested interesting kind lot mean means
    mention mind moment nice oh ohh part perfect pretty probably question questions reason regarding regards right sir
    somebody somehow someone something sorry sort sounds specifically suppose talk telling think thinking thought true
    understood usually wait wonder wonderful wondering wow wrong
"""

STOP_WORDS = frozenset(_WORDS.split())
TALK_WORDS = frozenset(_TALK.split())
