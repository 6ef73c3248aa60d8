"""English words that say nothing about the subject of a question, with what apostrophes leave behind (don't: t)."""

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

STOP_WORDS = frozenset(_WORDS.split())
