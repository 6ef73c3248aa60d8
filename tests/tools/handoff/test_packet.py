"""The person who takes over reads first what is open."""

from tools.handoff.packet import Said, packet

REFUND = Said("How long does a refund take?", "Five days.", answered=True, sources=("Refunds",))
LATE = Said("It is day nine", "I found nothing.", answered=False)
THANKS = Said("Thanks", "You're welcome!", answered=True)


def test_a_question_is_what_is_open():
    assert packet("Where is my refund?", [REFUND]).summary.startswith("Asks: Where is my refund?. 1 earlier")


def test_who_asks_for_a_person_wants_help_with_the_last_question_on_a_subject():
    summary = packet("Can I talk to a human?", [REFUND, LATE, THANKS]).summary
    assert summary.startswith("Asks: It is day nine; then: Can I talk to a human?. 3 earlier")


def test_who_begins_by_asking_for_a_person_is_quoted():
    assert packet("Get me a human", []).summary.startswith("Asks: Get me a human. 0 earlier")
