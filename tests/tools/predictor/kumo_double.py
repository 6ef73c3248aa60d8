"""Kumo's HTTP surface on a loopback port: it reads the real SDK's requests, answers as the service does, and fails on
demand. `parse_query` knows the two queries that the rung asks; `rfm/predict` answers for each entity of the request."""

import json
import re
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

from kumoapi.json_serde import to_json_dict  # type: ignore
from kumoapi.pquery import ValidatedPredictiveQuery  # type: ignore
from kumoapi.pquery.AST import Aggregation, Column, Condition, Constant, DateOffsetRange  # type: ignore
from kumoapi.rfm import RFMParseQueryResponse  # type: ignore
from kumoapi.rfm.protos import request_pb2  # type: ignore
from kumoapi.typing import AggregationType, Dtype, ProblemType, RelOp, Stype, TimeUnit  # type: ignore
from pandas import read_parquet  # type: ignore

KEY = "tenant:secret"


class KumoDouble:
    """Start it with `with`. `faults` are statuses (or "hang", "garbage") for the next predictions, one each."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []
        self.faults: deque[int | str] = deque()
        self.probability: float = 0.8
        self.items: list[str] = ["unknown"]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "KumoDouble":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def asked(self, path: str) -> list[bytes]:
        """The bodies of the requests to this path."""
        return [body for where, body in self.requests if where == path]

    def _handler(double: "KumoDouble") -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(b"")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])))

            def _answer(self, body: bytes) -> None:
                path = self.path.split("?")[0]
                double.requests.append((path, body))
                status, answer = double.answer(path, body, self.headers.get("X-API-Key", ""))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Not into the test's output."""

        return Handler

    def answer(self, path: str, body: bytes, key: str) -> tuple[int, bytes]:
        """Status and body."""
        if key != KEY:
            return 401, b'{"detail": "unknown key"}'
        if path == "/v1/connectors":
            return 200, b"[]"
        if path == "/config":
            return 200, b"{}"
        if path == "/v1/rfm/parse_query" or path == "/rfm/parse_query":
            query = json.loads(body)["query"]
            return 200, json.dumps(
                to_json_dict(RFMParseQueryResponse(_parsed(query), _parsed(query).validation_response))
            ).encode()
        if path.endswith("/rfm/predict"):
            return self._predict(body)
        return 404, b'{"detail": "no such path"}'

    def _predict(self, body: bytes) -> tuple[int, bytes]:
        fault = self.faults.popleft() if self.faults else None
        if fault == "hang":
            time.sleep(5)
        if fault == "garbage":
            return 200, b"not JSON"
        if isinstance(fault, int):
            return fault, b'{"detail": "try again later"}'
        return 200, json.dumps({"prediction": self._prediction(body)}).encode()

    def _prediction(self, body: bytes) -> dict[str, Any]:
        """One row for each user whose label is not in the context, as the service answers."""
        request = request_pb2.PredictRequest()
        request.ParseFromString(body)
        users = request.context.subgraph.table_dict["users"]
        names = read_parquet(BytesIO(users.df))["user_id"]
        rows = read_parquet(BytesIO(users.row)).iloc[:, 0]
        known = len(read_parquet(BytesIO(request.context.y_train)))
        asked = [str(names[row]) for row in rows[known:]]
        if "LIST_DISTINCT" in request.query:
            items = self.items
            return {
                "data": [[name, 0, item, 1 / (rank + 1)] for name in asked for rank, item in enumerate(items)],
                "columns": ["ENTITY", "ANCHOR_TIMESTAMP", "CLASS", "SCORE"],
            }
        p = self.probability
        return {
            "data": [[name, 0, p > 0.5, 1 - p, p] for name in asked],
            "columns": ["ENTITY", "ANCHOR_TIMESTAMP", "TARGET_PRED", "False_PROB", "True_PROB"],
        }


def _parsed(query: str) -> ValidatedPredictiveQuery:
    user = Column(fqn="users.user_id", dtype_maybe=Dtype.string, stype_maybe=Stype.ID)
    if items := re.search(r"LIST_DISTINCT\(events\.item_id, ?0, ?(\d+), ?days\) RANK TOP (\d+)", query):
        listed = _over("events.item_id", AggregationType.LIST_DISTINCT, int(items[1]))
        return ValidatedPredictiveQuery(
            entity_ast=user, target_ast=listed, top_k=int(items[2]), problem_type=ProblemType.RANK
        )
    events = re.search(r"COUNT\(events\.\*, ?0, ?(\d+), ?days\)", query)
    assert events, query
    count = _over("events.*", AggregationType.COUNT, int(events[1]))
    target = Condition(target=count, op=RelOp.GT, value=Constant(value="0", dtype_maybe=Dtype.int))
    return ValidatedPredictiveQuery(entity_ast=user, target_ast=target)


def _over(column: str, what: AggregationType, days: int) -> Aggregation:
    return Aggregation(
        target=Column(fqn=column, dtype_maybe=Dtype.string, stype_maybe=Stype.ID),
        aggr=what,
        aggr_time_range=DateOffsetRange(0, days, TimeUnit.DAYS),
        group_by="events.user_id",
        time_col="events.at",
    )
