"""The Messages API on a loopback socket, which refuses of each model what is on record that this model refuses.

The records are read as plain JSON and the rules are written as one reads them in the API's reference, with nothing of
the library: what they share is the facts alone. The texts are those that the API was seen to answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from canary import KEY
from fake_api import Request, Scripted, failure, reply
from fake_messages import MESSAGES, FakeMessages, Posted, message, streamed
from locations import ROOT

DATA = ROOT / "router" / "data"
ALLOWED = {"claude-opus-5-5": ["claude-opus-4-8", "claude-sonnet-5"]}
"""The fallbacks that models allow; the records do not say."""

Entry = dict[str, Any]


def listing() -> list[Entry]:
    """Return the entries of the bundled listing, with the fallbacks that each model allows."""
    entries: list[Entry] = json.loads((DATA / "bundled.json").read_text())["data"]
    return [{**entry, "allowed_fallback_models": ALLOWED.get(entry["id"], [])} for entry in entries]


def traits() -> dict[str, dict[str, bool]]:
    """Return what is documented that each model takes or does not, by id."""
    models = json.loads((DATA / "documented.json").read_text())["models"]["anthropic"]
    return {
        id: {name: each["value"] for name, each in facts.get("traits", {}).items()}
        for id, facts in models.items()
    }


class Rules:
    """What one model refuses."""

    def __init__(self, entry: Entry, traits: Mapping[str, bool]) -> None:
        self.entry = entry
        self.traits = traits

    def lacks(self, *path: str) -> bool:
        """Return whether the entry says that the model does not support this."""
        node: Any = self.entry["capabilities"] or {}
        for key in path:
            node = node.get(key) or {}
        return node.get("supported") is False

    def refuses(self, trait: str) -> bool:
        """Return whether it is documented that the model refuses this."""
        return self.traits.get(trait) is False

    def refusals(self, body: Mapping[str, Any], *, longer: bool) -> Iterator[str]:
        """Return why the model refuses a request; `longer` is for what lets an answer be longer than its limit."""
        limit, asked = self.entry["max_tokens"], body.get("max_tokens")
        if limit and asked and asked > limit and not longer:
            yield f"max_tokens: {asked} > {limit}, which is the maximum allowed number of output tokens for this model"
        yield from self.refusals_of_thinking(body)
        yield from self.refusals_of_betas(body)
        yield from self.refusals_of_parameters(body)
        yield from self.refusals_of_tools(body.get("tools", ()))
        yield from self.refusals_of_content(body.get("messages", ()))

    def refusals_of_thinking(self, body: Mapping[str, Any]) -> Iterator[str]:
        """Return what of the thinking and the effort it refuses."""
        thinking = body.get("thinking") or {}
        if thinking and self.lacks("thinking", "types", thinking["type"]):
            yield f'"thinking.type.{thinking["type"]}" is not supported for this model.'
        for effort in map(effort_of, [body, *body.get("messages", ())]):
            if effort and self.lacks("effort", effort):
                yield f"This model does not support effort level '{effort}'."
            is_off = thinking.get("type") in {"disabled", "between_tools"}
            if effort in {"xhigh", "max"} and is_off and self.refuses("effort_without_thinking"):
                yield f"output_config.effort '{effort}' is not supported when thinking is disabled on this model"

    def refusals_of_betas(self, body: Mapping[str, Any]) -> Iterator[str]:
        """Return what of the beta parameters it refuses."""
        if (body.get("output_config") or {}).get("task_budget") and self.refuses("task_budget"):
            yield "This model does not support task budgets."
        for edit in (body.get("context_management") or {}).get("edits", ()):
            if self.lacks("context_management", edit["type"]):
                yield f"{edit['type']} is not supported for this model."
        if body.get("compaction") and self.lacks("compaction", body["compaction"]["type"]):
            yield "compaction is not supported for this model."
        container = body.get("container")
        if (
            isinstance(container, dict)
            and container.get("skills")
            and self.lacks("server_tools", "code_execution")
        ):
            yield "skills are not supported for this model."
        for each in body.get("fallbacks", ()) if body.get("fallbacks") != "default" else ():
            if each["model"] not in self.entry["allowed_fallback_models"]:
                yield f"'{self.entry['id']}' does not support the `fallbacks` parameter"

    def refusals_of_parameters(self, body: Mapping[str, Any]) -> Iterator[str]:
        """Return what of the other parameters it refuses."""
        if (
            (body.get("output_config") or {}).get("format") or body.get("output_format")
        ) and self.lacks("structured_outputs"):
            yield "This model does not support structured outputs."
        if body.get("speed") == "fast" and self.refuses("fast_mode"):
            yield f"'{self.entry['id']}' does not support the `speed` parameter."
        if (body.get("tool_choice") or {}).get("type") in {"any", "tool"} and self.refuses(
            "forced_tool_choice"
        ):
            yield "tool_choice forces tool use is not compatible with this model"
        if body.get("temperature", 1) != 1 or "top_p" in body or "top_k" in body:
            yield "sampling parameters are not supported"  # by any model, in the version of the API that the SDK speaks
        last = (body.get("messages") or [{}])[-1]
        if (
            last.get("role") == "assistant"
            and self.refuses("prefill")
            and not body.get("compaction")
        ):
            ends = last["content"] if isinstance(last["content"], list) else [{"type": "text"}]
            if ends[-1]["type"] == "text" and not body.get("fallback_credit_token"):
                yield "This model does not support assistant message prefill."

    def refusals_of_tools(self, tools: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Return what of the tools it refuses."""
        for tool in tools:
            kind, callers = tool.get("type", "custom"), tool.get("allowed_callers")
            if tool.get("strict") and self.lacks("structured_outputs"):
                yield "This model does not support structured outputs."
            for server in ("code_execution", "web_search"):
                if re.fullmatch(rf"{server}_\d+", kind) and self.lacks("server_tools", server):
                    yield f"'{self.entry['id']}' does not support {server}."
            by_code = any(each.startswith("code_execution_") for each in callers or ())
            is_filtered = re.fullmatch(r"web_(search|fetch)_20260[2-9]\d\d", kind) and callers != [
                "direct"
            ]
            if (by_code or is_filtered) and self.lacks("code_execution"):
                yield f"'{self.entry['id']}' does not support programmatic tool calling: set allowed_callers"
            if is_filtered and self.refuses("dynamic_filtering"):
                yield f"'{self.entry['id']}' does not support dynamic filtering: set allowed_callers"

    def refusals_of_content(self, value: Any) -> Iterator[str]:
        """Return what of the content it refuses, however deep it lies."""
        if isinstance(value, list):
            for each in value:
                yield from self.refusals_of_content(each)
        elif isinstance(value, dict):
            stated = value.get("source")
            source = stated if isinstance(stated, dict) else {}
            if value.get("type") == "image" and self.lacks("image_input"):
                yield "This model does not support image input."
            is_pdf = value.get("type") == "document" and source.get("type") in {"base64", "url"}
            if is_pdf and self.lacks("pdf_input"):
                yield "This model does not support PDF input."
            if (value.get("citations") or {}).get("enabled") and self.lacks("citations"):
                yield "This model does not support citations."
            if value.get("type") == "tool_definition":
                yield from self.refusals_of_tools([value["definition"]])
            yield from self.refusals_of_content([*value.values()])


def effort_of(said: Mapping[str, Any]) -> str | None:
    """Return the effort that a request asks for, or a message of it on the way."""
    effort: str | None = (said.get("output_config") or {}).get("effort")
    return effort


class StrictMessages(FakeMessages):
    """The server; what it refused is kept, as pairs of a model and the reason."""

    def __init__(self, faults: Mapping[str, Scripted | None] | None = None) -> None:
        super().__init__(faults)
        self.refused: list[tuple[str, str]] = []
        documented = traits()
        self.rules = {
            entry["id"]: Rules(entry, documented.get(entry["id"], {})) for entry in listing()
        }

    def answer(self, request: Request) -> bytes:
        """Answer as the API does: messages, counts of tokens, batches."""
        if (
            not isinstance(request, Posted)
            or request.headers.get("authorization") != f"Bearer {KEY}"
        ):
            return failure(401, "authentication_error", "invalid x-api-key")
        path, _, _ = request.path.partition("?")
        served: dict[str, Callable[[Posted], bytes]] = {
            MESSAGES: self.answer_of,
            f"{MESSAGES}/count_tokens": lambda _: reply(200, {"input_tokens": 7}),
        }
        asked = [request.said]
        if path == f"{MESSAGES}/batches":
            served[path], asked = (
                lambda _: reply(200, BATCH),
                [each["params"] for each in request.said["requests"]],
            )
        if path not in served:
            return failure(404, "not_found_error", "Not found")
        is_longer = path.endswith("/batches") and "output-300k-" in request.headers.get(
            "anthropic-beta", ""
        )
        refusals = (self.refusal(body, longer=is_longer) for body in asked)
        return next(filter(None, refusals), None) or served[path](request)

    def answer_of(self, request: Posted) -> bytes:
        """Answer for the model that is asked, at once or as a stream."""
        is_stream = request.said.get("stream")
        return (
            b"".join(streamed(request.model, "Well."))
            if is_stream
            else reply(200, message(request.model, "Well."))
        )

    def refusal(self, body: Mapping[str, Any], *, longer: bool) -> bytes | None:
        """Return the refusal of a request, `None` where its model takes it."""
        if body.keys() & {"betas", "extra_headers", "extra_body"}:
            return failure(400, "invalid_request_error", "Extra inputs are not permitted")
        rules = self.rules.get(body["model"])
        if rules is None:
            return failure(404, "not_found_error", f"model: {body['model']}")
        why = next(rules.refusals(body, longer=longer), None)
        if why is None:
            return None
        self.refused.append((body["model"], why))
        return failure(400, "invalid_request_error", why)


BATCH = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "in_progress",
    "request_counts": {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
    "created_at": "2026-11-22T00:00:00Z",
    "expires_at": "2026-11-23T00:00:00Z",
}


@contextmanager
def serve_strictly(faults: Mapping[str, Scripted | None] | None = None) -> Iterator[StrictMessages]:
    """Run the API on a free port; no thread and no socket is left behind."""
    api = StrictMessages(faults)
    api.start()
    try:
        yield api
    finally:
        api.stop()
