"""The scripted server in a process of its own."""

import argparse
import asyncio
import sys

from tests.model_server.replies import Call, Text, one_tool_call_each_turn
from tests.model_server.server import ModelServer


async def _serve(options: argparse.Namespace) -> None:
    text = " ".join(f"word{place}" for place in range(options.tokens)) + " [1]."
    answer = Text(text, chunks=options.tokens, first_delay=options.delay)
    default = one_tool_call_each_turn(Call(options.tool[0], options.tool[1]), answer) if options.tool else answer
    server = ModelServer(default=default)
    server.record = False
    await server.start(options.port)
    sys.stdout.write(server.base_url + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="A scripted OpenAI-compatible server; it stops when its input ends.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=30, help="pieces of the answer")
    parser.add_argument("--delay", type=float, default=0, help="seconds before the first token")
    parser.add_argument("--tool", nargs=2, metavar=("NAME", "JSON"), help="call this tool once in each turn")
    options = parser.parse_args()
    try:
        import uvloop

        uvloop.run(_serve(options))
    except ImportError:
        asyncio.run(_serve(options))


if __name__ == "__main__":
    main()
