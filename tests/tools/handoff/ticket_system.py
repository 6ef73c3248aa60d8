"""A ticket system on loopback that answers what it is told to, and remembers what came."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TicketSystem:
    """Takes hand-offs over HTTP. It answers while `open` is set, and then with `status` and `answer`."""

    def __init__(self) -> None:
        self.status, self.answer = 200, '{"ticket": "T-17"}'
        self.got: list[str] = []
        self.reached, self.open = asyncio.Event(), asyncio.Event()
        self.open.set()

    @property
    def keys(self) -> list[str]:
        """The idempotency keys of what came, in order."""
        return [key for got in self.got for key in re.findall(r"(?i)^Idempotency-Key: (\w+)", got, re.MULTILINE)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")
        )
        self.got.append(head + (await reader.readexactly(length)).decode())
        self.reached.set()
        await self.open.wait()
        body = self.answer.encode()
        writer.write(
            f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
        )
        await writer.drain()
        writer.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """Its address."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/tickets"
        server.close()
        await server.wait_closed()
