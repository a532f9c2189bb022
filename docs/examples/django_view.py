"""A Django view with a feature gate: `python django_view.py runserver`."""

import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, JsonResponse
from django.urls import path

from router import Router

settings.configure(SECRET_KEY="for this example only", ROOT_URLCONF=__name__, DEBUG=True)

router = Router()
PINNED = {"acme": "claude-haiku-4-5", "initech": "claude-opus-4-1-20250805"}
"""The model that each customer has chosen."""


def report(request: HttpRequest, customer: str) -> JsonResponse:
    gate = router.gate(PINNED[customer])
    verdict = gate.explain("structured_outputs", default=False)
    return JsonResponse(
        {
            "output": "json_schema" if verdict else "text",
            "effort": gate.best("effort", at_most="high"),
            "why": verdict.to_dict(),
        }
    )


urlpatterns = [path("report/<customer>", report)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
