"""A worker with threads: one router and one client, and the client chooses the model itself."""

from concurrent.futures import ThreadPoolExecutor

from anthropic import Anthropic

from router import Policy, Router, auto_model

JOBS = ["first job", "second job", "third job", "fourth job"]

policies = {"summaries": Policy(require="line in (haiku, sonnet)", order="cheapest")}


def main() -> None:
    with Router(policies=policies) as router, Anthropic(middleware=[auto_model(router)]) as client:

        def work(job: str) -> str:
            message = client.messages.create(
                model="auto:summaries",
                max_tokens=300,
                messages=[{"role": "user", "content": job}],
            )
            return f"{job}: {message.model}"

        with ThreadPoolExecutor(4) as pool:
            print("\n".join(pool.map(work, JOBS)))
        for cooling in router.status().cooling:
            print(f"cooling: {cooling.model_id}")


if __name__ == "__main__":
    main()
