"""A conversation keeps one checkpoint, whatever its length."""

from pathlib import Path
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

from agent.checkpoints import NewestOnlySaver, open_checkpoints


class Count(TypedDict, total=False):
    turns: int


def _graph(saver: NewestOnlySaver) -> Any:
    graph = StateGraph(Count)
    graph.add_node("count", lambda state: {"turns": state.get("turns", 0) + 1})
    graph.add_edge(START, "count")
    graph.add_edge("count", END)
    return graph.compile(checkpointer=saver)


async def test_only_the_newest_checkpoint_of_each_conversation_is_kept(tmp_path: Path):
    async with open_checkpoints(tmp_path / "checkpoints.db") as saver:
        graph = _graph(saver)
        for turn in range(1, 6):
            for thread in ("a", "b"):
                state = await graph.ainvoke({}, {"configurable": {"thread_id": thread}}, durability="exit")
                assert state["turns"] == turn
        rows = await saver.conn.execute_fetchall("SELECT thread_id, count(*) FROM checkpoints GROUP BY 1 ORDER BY 1")
    assert list(rows) == [("a", 1), ("b", 1)]


async def test_the_state_survives_a_restart(tmp_path: Path):
    place = {"configurable": {"thread_id": "a"}}
    async with open_checkpoints(tmp_path / "checkpoints.db") as saver:
        await _graph(saver).ainvoke({}, place, durability="exit")
    async with open_checkpoints(tmp_path / "checkpoints.db") as saver:
        state = await _graph(saver).ainvoke({}, place, durability="exit")
    assert state["turns"] == 2
