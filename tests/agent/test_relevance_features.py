"""What is known of each unit and clause, as numbers."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.candidates import candidates
from agent.clauses import clauses
from agent.relevance_features import CLAUSE, FEATURES, Reading
from knowledge_base.passage import Utterance
from tests.agent.quoting import source

ESCROW = source(
    "Escrow holds the client's money.\n\n## When is money released?\n\nThe client has 7 days to approve the work. "
    "If the client does nothing, the money is released automatically.\n\n## Limits\n\nA milestone is at least 50 euros."
)
OTHER = source("Pigeons fly home. They find the way by the sun.", 2, "b.md", "Pigeons", "Pigeons")


def column(name: str, question: str, history: tuple[Utterance, ...] = ()) -> list[float]:
    rows = Reading(question, history, candidates([ESCROW, OTHER])).features()
    return [float(value) for value in rows[:, FEATURES.index(name)]]


def test_features_know_the_place_of_the_last_answer():
    talk = (Utterance("user", "How long?"), Utterance("assistant", "The client has 7 days to approve the work."))
    distance = column("distance from last answer", "And then?", talk)
    assert distance[1:4] == [0, 1, 2]
    assert distance[4] < 0


def test_features_know_the_document_that_the_conversation_is_about():
    shares = column("utterances in document", "Do pigeons fly home?")
    assert shares[4] == max(shares) > shares[0]


words = st.sampled_from(["client", "money", "days", "Pigeons.", "## Sun\n\n", "- item\n", "?", "yes", "7", "é", "\n\n"])
text = st.lists(words, max_size=25).map(" ".join)


@given(text, text, st.lists(text, min_size=1, max_size=3))
def test_features_are_finite(question, said, texts):
    possible = candidates([source(one, number, f"{number % 2}.md") for number, one in enumerate(texts, 1)])
    assume(possible)
    reading = Reading(question, (Utterance("user", said), Utterance("assistant", question)), possible)
    rows = reading.features()
    assert rows.shape == (len(possible), len(FEATURES))
    assert np.isfinite(rows).all()
    owner, of_clauses = reading.clause_features(range(len(possible)))
    assert (
        of_clauses.shape == (sum(len(clauses(one.unit)) for one in possible), len(CLAUSE)) == (len(owner), len(CLAUSE))
    )
    assert np.isfinite(of_clauses).all()
