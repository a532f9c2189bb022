"""An agent that streams its answers, and goes on with the next model if one is overloaded."""

import asyncio

from anthropic import AsyncAnthropic

from router import Attempt, Model, Router

QUESTIONS = ["What is a requirement?", "And a policy?"]


def report(attempt: Attempt, model: Model) -> None:
    print(f"[{attempt.model} failed, so {model} answers]")


async def main() -> None:
    messages = []
    # Without retries of the client, the router tries another model at once.
    async with Router() as router, AsyncAnthropic(max_retries=0) as client:
        for question in QUESTIONS:
            messages.append({"role": "user", "content": question})
            answer = await router.arun_request(
                {"max_tokens": 1000, "stream": True, "messages": messages},
                client.messages.create,
                "line in (opus, sonnet)",
                sticky="conversation 1",  # it stays with the model that answered first
                on_fallback=report,
            )
            text = ""
            async for event in answer.value:
                if event.type == "content_block_delta" and event.delta.type == "text_delta":
                    print(event.delta.text, end="", flush=True)
                    text += event.delta.text
            print(f" ({answer.model})")
            messages.append({"role": "assistant", "content": text})


if __name__ == "__main__":
    asyncio.run(main())
