"""Where the trade feed is reached: its websocket, and what tests ask about it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute

from lakehouse.simulated.exchange import Exchange
from lakehouse.simulated.finnhub import finnhub
from lakehouse.simulated.trade_feed import TradeFeed


def feed_routes(exchange: Exchange) -> list[BaseRoute]:
    feed = TradeFeed(exchange)

    async def state(request: Request) -> Response:
        return JSONResponse(feed.state())

    async def log(request: Request) -> Response:
        return StreamingResponse(feed.logged(), media_type="application/x-ndjson")

    return [
        WebSocketRoute("/finnhub", finnhub(exchange, feed)),
        Route("/control/trades", state),
        Route("/control/trades/log", log),
    ]
