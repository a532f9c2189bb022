"""Send documents as one batch, each to the cheapest model that can read it."""

from anthropic import Anthropic

from router import Policy, Router

DOCUMENTS = {"note": "text", "scan": "image"}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE = {"type": "base64", "media_type": "image/png", "data": PIXEL}

router = Router(policies={"bulk": Policy(order="cheapest", prefer=["max_input_tokens >= 1M"])})
requests = []
for name, kind in DOCUMENTS.items():
    document = (
        {"type": "text", "text": "Hello."} if kind == "text" else {"type": kind, "source": IMAGE}
    )
    question = {"type": "text", "text": "What is in this document?"}
    request = {"max_tokens": 500, "messages": [{"role": "user", "content": [document, question]}]}
    routed = router.route(request, "bulk", batch=True)
    print(f"{name}: {routed.model}, {routed.decision.reason.value}")
    requests.append({"custom_id": name, "params": routed.request})

with Anthropic() as client:
    batch = client.messages.batches.create(requests=requests)
print(batch.id, batch.processing_status)
