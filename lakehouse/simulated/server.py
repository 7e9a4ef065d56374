"""The HTTP server: one path prefix a dialect, and a control endpoint for the faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from email.utils import formatdate

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lakehouse.simulated.binance import INTERVALS
from lakehouse.simulated.corruption import corrupted
from lakehouse.simulated.dialects import DIALECTS, Dialect, Endpoint
from lakehouse.simulated.exchange import Exchange, Refusal
from lakehouse.simulated.faults import Fault, Faults
from lakehouse.simulated.feed_routes import feed_routes

HTML = "<html><body>The server is taking a break.</body></html>"


def application(exchange: Exchange) -> Starlette:
    """Every dialect under its own prefix, e.g. `/binance/api/v3/klines`."""
    routes: list[BaseRoute] = [
        Route(f"/{dialect.prefix or name}{path}", _handler(exchange, dialect, endpoint))
        for name, dialect in DIALECTS.items()
        for path, endpoint in dialect.endpoints.items()
    ]
    routes += [
        Route("/control", _control(exchange), methods=["GET", "POST"]),
        Route("/control/corrupted", _list_corrupted(exchange)),
        *feed_routes(exchange),
    ]
    return Starlette(routes=routes)


def _handler(
    exchange: Exchange, dialect: Dialect, endpoint: Endpoint
) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        exchange.requests[request.url.path] += 1
        fault = _fault(exchange, request)
        if fault is Fault.SLOW_ANSWER:
            await asyncio.sleep(exchange.faults.slow_seconds)
        try:
            if fault in (Fault.SERVER_ERROR, Fault.RATE_LIMIT):
                raise dialect.error(str(fault), exchange)
            status, body, headers = 200, endpoint(exchange, _params(request)), {}
        except Refusal as refusal:
            status, body, headers = refusal.status, refusal.body, refusal.headers
        text = json.dumps(body, separators=(",", ":"))
        if fault is Fault.MALFORMED_JSON:
            text = text[: len(text) // 2] if len(text) > 2 else HTML
        return _answer(exchange, text, status, headers)

    return handle


def _params(request: Request) -> dict[str, str]:
    """What was asked, wherever it stood: the query, the path, the one header that matters."""
    authorization = {"authorization": request.headers.get("authorization", "")}
    return {**authorization, **request.query_params, **request.path_params}


def _fault(exchange: Exchange, request: Request) -> Fault | None:
    symbol = next((value for value in _symbols(request) if exchange.pair(value)), None)
    pair = exchange.pair(symbol) if symbol else None
    if exchange.faults.symbols and not (pair and exchange.faults.touch(pair.name)):
        return None
    return exchange.plan.next(f"{request.url.path}?{request.url.query}")


def _symbols(request: Request) -> list[str]:
    return [*request.path_params.values(), *request.query_params.values()]


def _answer(exchange: Exchange, text: str, status: int, headers: dict[str, str]) -> Response:
    date = formatdate(exchange.now_ms() / 1000, usegmt=True)
    return Response(text, status, {"date": date, **headers}, media_type="application/json")


def _control(exchange: Exchange) -> Callable[[Request], Awaitable[Response]]:
    async def control(request: Request) -> Response:
        """GET: the faults in force and what was played; POST: change the fields that are given."""
        if request.method == "POST":
            try:
                changed = exchange.faults.model_dump() | json.loads(await request.body() or "{}")
                exchange.faults = Faults.model_validate(changed)
            except (ValidationError, ValueError, TypeError) as error:
                return _answer(exchange, json.dumps({"error": str(error)}), 422, {})
            exchange.requests.clear()
        state = {
            "faults": exchange.faults.model_dump(mode="json"),
            "requests": dict(exchange.requests),
            "played": dict(exchange.plan.played),
        }
        return _answer(exchange, json.dumps(state), 200, {})

    return control


def _list_corrupted(exchange: Exchange) -> Callable[[Request], Awaitable[Response]]:
    async def list_corrupted(request: Request) -> Response:
        """Which candles of symbol, timeframe, start, end (ms, half-open) are served broken."""
        asked = request.query_params
        step_ms = INTERVALS[asked["timeframe"]]
        pair = exchange.pair(asked["symbol"])
        first = -(-int(asked["start"]) // step_ms) * step_ms
        times = range(first, int(asked["end"]), step_ms)
        found = corrupted(exchange.faults, pair, step_ms, times) if pair else []
        body = [{"timestamp": c.timestamp, "kind": c.kind, "field": c.field} for c in found]
        return _answer(exchange, json.dumps(body), 200, {})

    return list_corrupted
