"""Work that runs ahead of whoever uses it."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")


class _End:
    """Stands in the queue after the last item; carries the error that ended the work, if one did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextmanager
def ahead(items: Iterator[_Item], size: int) -> Iterator[Iterator[_Item]]:
    """The same items, made in a thread of their own, at most `size` of them before they are asked for.

    An error in the thread is raised where the items are used; leaving the block stops the thread after its item.
    """
    waiting: queue.Queue[_Item | _End] = queue.Queue(size)
    stop = threading.Event()
    worker = threading.Thread(target=_fill, args=(items, waiting, stop), name="read-ahead", daemon=True)
    worker.start()
    try:
        yield _drain(waiting)
    finally:
        stop.set()
        while worker.is_alive():
            _empty(waiting)  # makes room for a worker that waits to put its item
            worker.join(0.05)


def _fill(items: Iterator[_Item], waiting: "queue.Queue[_Item | _End]", stop: threading.Event) -> None:
    end = _End()
    try:
        for item in items:
            waiting.put(item)
            if stop.is_set():
                break
    except BaseException as error:  # noqa: BLE001 - it is raised in the thread that uses the items
        end = _End(error)
    waiting.put(end)


def _drain(waiting: "queue.Queue[_Item | _End]") -> Iterator[_Item]:
    while True:
        item = waiting.get()
        if isinstance(item, _End):
            if item.error:
                raise item.error
            return
        yield item


def _empty(waiting: "queue.Queue[_Item | _End]") -> None:
    try:
        while True:
            waiting.get_nowait()
    except queue.Empty:
        return
