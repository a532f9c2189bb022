"""Say what you need from a model, and get the newest Claude model known to meet it, with the reason."""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from router.audit import Audit as Audit
    from router.audit import AuditVerdict as AuditVerdict
    from router.audit import Finding as Finding
    from router.calling.chain import Answer as Answer
    from router.calling.chain import Attempt as Attempt
    from router.calling.failures import Failure as Failure
    from router.calling.failures import FailureClass as FailureClass
    from router.calling.failures import classify as classify
    from router.calling.fallbacks import Fallbacks as Fallbacks
    from router.calling.fitting import Fitted as Fitted
    from router.calling.fitting import RequestChange as RequestChange
    from router.calling.fitting import fit as fit
    from router.calling.middleware import auto_model as auto_model
    from router.calling.request import RequestRequirement as RequestRequirement
    from router.calling.request import requirement_of as requirement_of
    from router.calling.routing import Routed as Routed
    from router.catalogue import Catalogue as Catalogue
    from router.catalogue import CatalogueDiff as CatalogueDiff
    from router.catalogue import Change as Change
    from router.catalogue import Impact as Impact
    from router.decision import Decision as Decision
    from router.decision import Reason as Reason
    from router.decision import Term as Term
    from router.decision import Unmet as Unmet
    from router.errors import CatalogueError as CatalogueError
    from router.errors import CatalogueUnavailableError as CatalogueUnavailableError
    from router.errors import ConfigurationError as ConfigurationError
    from router.errors import ConflictingEntriesError as ConflictingEntriesError
    from router.errors import FallbackExhaustedError as FallbackExhaustedError
    from router.errors import LockError as LockError
    from router.errors import MalformedEntryError as MalformedEntryError
    from router.errors import NoModelError as NoModelError
    from router.errors import RequirementError as RequirementError
    from router.errors import RequirementSyntaxError as RequirementSyntaxError
    from router.errors import RouterError as RouterError
    from router.errors import UnfitRequestError as UnfitRequestError
    from router.errors import UnknownModelError as UnknownModelError
    from router.errors import UnknownNameError as UnknownNameError
    from router.gate import Gate as Gate
    from router.gate import GateReason as GateReason
    from router.gate import Verdict as Verdict
    from router.language import require as require
    from router.loading.sources import AnthropicSource as AnthropicSource
    from router.loading.sources import BundledSource as BundledSource
    from router.loading.sources import FileSource as FileSource
    from router.loading.sources import SDKSource as SDKSource
    from router.loading.sources import Source as Source
    from router.loading.sources import StaticSource as StaticSource
    from router.lockfile import Lock as Lock
    from router.lockfile import Locked as Locked
    from router.model import Correction as Correction
    from router.model import Model as Model
    from router.policy import Policy as Policy
    from router.requirement import Requirement as Requirement
    from router.router import Router as Router
    from router.status import Cooling as Cooling
    from router.status import RouterStatus as RouterStatus

_HOMES = {
    "Answer": "calling.chain",
    "AnthropicSource": "loading.sources",
    "Attempt": "calling.chain",
    "Audit": "audit",
    "AuditVerdict": "audit",
    "BundledSource": "loading.sources",
    "Catalogue": "catalogue",
    "CatalogueDiff": "catalogue",
    "CatalogueError": "errors",
    "CatalogueUnavailableError": "errors",
    "Change": "catalogue",
    "ConfigurationError": "errors",
    "ConflictingEntriesError": "errors",
    "Cooling": "status",
    "Correction": "model",
    "Decision": "decision",
    "Failure": "calling.failures",
    "FailureClass": "calling.failures",
    "FallbackExhaustedError": "errors",
    "Fallbacks": "calling.fallbacks",
    "FileSource": "loading.sources",
    "Finding": "audit",
    "Fitted": "calling.fitting",
    "Gate": "gate",
    "GateReason": "gate",
    "Impact": "catalogue",
    "Lock": "lockfile",
    "LockError": "errors",
    "Locked": "lockfile",
    "MalformedEntryError": "errors",
    "Model": "model",
    "NoModelError": "errors",
    "Policy": "policy",
    "Reason": "decision",
    "RequestChange": "calling.fitting",
    "RequestRequirement": "calling.request",
    "Requirement": "requirement",
    "RequirementError": "errors",
    "RequirementSyntaxError": "errors",
    "Routed": "calling.routing",
    "Router": "router",
    "RouterError": "errors",
    "RouterStatus": "status",
    "SDKSource": "loading.sources",
    "Source": "loading.sources",
    "StaticSource": "loading.sources",
    "Term": "decision",
    "UnfitRequestError": "errors",
    "UnknownModelError": "errors",
    "UnknownNameError": "errors",
    "Unmet": "decision",
    "Verdict": "gate",
    "auto_model": "calling.middleware",
    "classify": "calling.failures",
    "fit": "calling.fitting",
    "require": "language",
    "requirement_of": "calling.request",
}

__all__ = [
    "Answer",
    "AnthropicSource",
    "Attempt",
    "Audit",
    "AuditVerdict",
    "BundledSource",
    "Catalogue",
    "CatalogueDiff",
    "CatalogueError",
    "CatalogueUnavailableError",
    "Change",
    "ConfigurationError",
    "ConflictingEntriesError",
    "Cooling",
    "Correction",
    "Decision",
    "Failure",
    "FailureClass",
    "FallbackExhaustedError",
    "Fallbacks",
    "FileSource",
    "Finding",
    "Fitted",
    "Gate",
    "GateReason",
    "Impact",
    "Lock",
    "LockError",
    "Locked",
    "MalformedEntryError",
    "Model",
    "NoModelError",
    "Policy",
    "Reason",
    "RequestChange",
    "RequestRequirement",
    "Requirement",
    "RequirementError",
    "RequirementSyntaxError",
    "Routed",
    "Router",
    "RouterError",
    "RouterStatus",
    "SDKSource",
    "Source",
    "StaticSource",
    "Term",
    "UnfitRequestError",
    "UnknownModelError",
    "UnknownNameError",
    "Unmet",
    "Verdict",
    "auto_model",
    "classify",
    "fit",
    "require",
    "requirement_of",
]


def __getattr__(name: str) -> object:
    """Import a public name on its first use (PEP 562), so that `import router` costs nothing."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'router' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"router.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
