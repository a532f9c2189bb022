"""A FastAPI service that chooses models: `fastapi dev fastapi_service.py`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from router import Decision, Model, RequirementError, Router, RouterStatus


class Choice(BaseModel):
    model: Model
    alternatives: list[str]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with Router() as app.state.router:
        yield


def held_router(request: Request) -> Router:
    return request.app.state.router


app = FastAPI(lifespan=lifespan)
HeldRouter = Annotated[Router, Depends(held_router)]


@app.get("/status")
def status(router: HeldRouter) -> RouterStatus:
    return router.status()


@app.get("/explain")
def explain(need: str, router: HeldRouter) -> Decision:
    return router.explain(need)


@app.get("/choose", response_model=Choice)
def choose(need: str, router: HeldRouter) -> Any:
    models = router.candidates(need, limit=3)
    if not models:
        raise HTTPException(404, str(router.explain(need)))
    return {"model": models[0], "alternatives": [model.id for model in models[1:]]}


@app.exception_handler(RequirementError)
def refuse(request: Request, error: RequirementError) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=422)
