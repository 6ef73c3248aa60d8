"""GET /metrics, for Prometheus; where callers sign in, for admins."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from ui.api.problems import may_answer
from ui.metrics import CONTENT_TYPE, Metrics

router = APIRouter(tags=["operations"])


@router.get(
    "/metrics",
    operation_id="read_metrics",
    summary="Counters in Prometheus' text format",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **may_answer(401, 403, 503)},
)
async def read_metrics(request: Request) -> Response:
    """Turns, their stages, tools, tokens, what was found, what was not answered, and what went wrong."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.text(), media_type=CONTENT_TYPE)
