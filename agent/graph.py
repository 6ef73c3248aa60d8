"""One turn as a graph. Edges are last; read them first.

prepare ──► tools ──► answer ──► learn
              ▲          │
              └──────────┘   while the model calls tools, at most `tool_rounds` times
"""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode

from agent.nodes import TurnNodes, report_tool_call
from agent.state import ConversationState
from tools.turn import TurnContext

Graph = CompiledStateGraph[ConversationState, TurnContext, Any, Any]


def after_answer(state: ConversationState) -> str:
    """Where to go once the model has spoken: run its tool calls, let it mend a broken call, or finish."""
    message = next(m for m in reversed(state["messages"]) if isinstance(m, AIMessage))
    if message.tool_calls:
        return "tools"
    return "answer" if message.invalid_tool_calls else "learn"


def build_graph(
    nodes: TurnNodes, tools: Sequence[BaseTool], *, checkpointer: BaseCheckpointSaver[str] | None = None
) -> Graph:
    """The compiled graph over these nodes and tools; without a checkpointer the caller keeps the state."""
    graph = StateGraph(ConversationState, context_schema=TurnContext)
    graph.add_node("prepare", nodes.prepare)
    graph.add_node("tools", ToolNode(tools, awrap_tool_call=report_tool_call))
    graph.add_node("answer", nodes.answer)
    graph.add_node("learn", nodes.learn)

    graph.add_edge(START, "prepare")
    graph.add_edge("prepare", "tools")
    graph.add_edge("tools", "answer")
    graph.add_conditional_edges("answer", after_answer, ["tools", "answer", "learn"])
    graph.add_edge("learn", END)
    return graph.compile(checkpointer=checkpointer)
