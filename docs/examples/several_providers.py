"""Models of other providers, listed by hand, in one catalogue with the bundled ones."""

from router import Catalogue, Model, Policy, Router, StaticSource


def entry(provider: str, id: str, released: str, price: float, *capabilities: str) -> dict:
    return {
        "provider": provider,
        "id": id,
        "created_at": f"{released}T00:00:00Z",
        "price": {"input": price / 4, "output": price},
        "capabilities": {name: {"supported": True} for name in capabilities},
    }


OWN = [
    entry("openai", "gpt-5-mini", "2025-08-07", 2, "image_input", "structured_outputs"),
    entry("ollama", "llama4:70b", "2025-04-05", 0, "image_input"),
]

bundled = Catalogue.bundled()
catalogue = Catalogue.from_listing([*(model.entry for model in bundled), *OWN], as_of=bundled.as_of)
policies = {"bulk": Policy(require="image_input", order="cheapest")}
router = Router(StaticSource(catalogue), policies=policies)


def call(model: Model) -> str:
    """Call the client of the model's provider."""
    return {"anthropic": "Anthropic()", "openai": "OpenAI()"}.get(model.provider, "a local server")


answer = router.run("bulk", call)
print(f"{answer.model.key} by {answer.value}")
print(router.select("image_input and structured_outputs and provider != anthropic").key)
for model in router.candidates("bulk", limit=3):
    print(f"{model.key}: {model['price.output']} USD")
