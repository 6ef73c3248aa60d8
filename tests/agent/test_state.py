"""What is carried from turn to turn: plain text, bounded, and the same both ways."""

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from agent.state import CARRIED_CHARS, messages_of, utterances
from knowledge_base.passage import Utterance

said = st.lists(
    st.builds(Utterance, st.sampled_from(["user", "assistant"]), st.text(min_size=1, max_size=50)), max_size=8
)


@given(said)
def test_history_survives_the_way_into_messages_and_back(history):
    assert utterances(messages_of(history)) == tuple(history)


def test_tool_traffic_is_not_something_that_was_said():
    call = {"name": "search_knowledge_base", "args": {}, "id": "1"}
    looked_up: list[AnyMessage] = [AIMessage("", tool_calls=[call]), ToolMessage("…", tool_call_id="1")]
    messages: list[AnyMessage] = [HumanMessage("Hi"), *looked_up, AIMessage("Yo")]
    assert utterances(messages) == (Utterance("user", "Hi"), Utterance("assistant", "Yo"))


def test_an_endless_answer_is_cut_to_what_a_state_carries():
    (message,) = messages_of([Utterance("assistant", "x" * 1_000_000)])
    assert len(message.text) == CARRIED_CHARS
