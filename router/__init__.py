"""Say what you need from a model, and get the newest Claude model known to meet it."""

from __future__ import annotations

__version__ = "0.1.0"

# Type checkers treat this name like `typing.TYPE_CHECKING`, whose import takes time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from router._errors import AmbiguousModelError as AmbiguousModelError
    from router._errors import CatalogueError as CatalogueError
    from router._errors import CatalogueUnavailableError as CatalogueUnavailableError
    from router._errors import ConfigurationError as ConfigurationError
    from router._errors import ConflictingEntriesError as ConflictingEntriesError
    from router._errors import LockError as LockError
    from router._errors import MalformedEntryError as MalformedEntryError
    from router._errors import RequirementError as RequirementError
    from router._errors import RequirementSyntaxError as RequirementSyntaxError
    from router._errors import RouterError as RouterError
    from router._errors import UnfitRequestError as UnfitRequestError
    from router._errors import UnknownModelError as UnknownModelError
    from router._errors import UnknownNameError as UnknownNameError
    from router._router import Router as Router
    from router._status import Cooling as Cooling
    from router._status import RouterStatus as RouterStatus
    from router.catalogue._catalogue import Catalogue as Catalogue
    from router.catalogue._decision import Decision as Decision
    from router.catalogue._decision import NoModelError as NoModelError
    from router.catalogue._diff import CatalogueDiff as CatalogueDiff
    from router.catalogue._diff import Change as Change
    from router.catalogue._diff import Impact as Impact
    from router.catalogue._explanation import Reason as Reason
    from router.catalogue._gate import Gate as Gate
    from router.catalogue._gate import GateReason as GateReason
    from router.catalogue._gate import Verdict as Verdict
    from router.catalogue._policy import Need as Need
    from router.catalogue._policy import Policy as Policy
    from router.catalogue._terms import Term as Term
    from router.catalogue._terms import Unmet as Unmet
    from router.catalogue._why import Why as Why
    from router.catalogue._why import why as why
    from router.execution._attempts import Answer as Answer
    from router.execution._attempts import Attempt as Attempt
    from router.execution._attempts import Classify as Classify
    from router.execution._attempts import FallbackExhaustedError as FallbackExhaustedError
    from router.execution._attempts import OnDisagreement as OnDisagreement
    from router.execution._attempts import OnFallback as OnFallback
    from router.execution._failures import Failure as Failure
    from router.execution._failures import FailureClass as FailureClass
    from router.execution._failures import classify as classify
    from router.execution._options import RunOptions as RunOptions
    from router.execution._run import Run as Run
    from router.integrations.anthropic import auto_model as auto_model
    from router.locking._answers import OnLockBroken as OnLockBroken
    from router.locking._checking import LockProblem as LockProblem
    from router.locking._checking import LockProblemKind as LockProblemKind
    from router.locking._checking import check_lock as check_lock
    from router.locking._lockfile import Lock as Lock
    from router.locking._lockfile import Locked as Locked
    from router.locking._resolution import LockChange as LockChange
    from router.locking._resolution import Outdated as Outdated
    from router.locking._resolution import Resolution as Resolution
    from router.locking._resolution import outdated as outdated
    from router.locking._resolution import resolve as resolve
    from router.models._model import Model as Model
    from router.models._model import Provenance as Provenance
    from router.models._model import Support as Support
    from router.models._packaged_facts import Correction as Correction
    from router.models._packaged_facts import DocumentedPath as DocumentedPath
    from router.refresh._deadline import Deadline as Deadline
    from router.refresh._listing import Progress as Progress
    from router.refresh._notifier import OnError as OnError
    from router.refresh._notifier import OnRefresh as OnRefresh
    from router.refresh._sdk_source import SDKSource as SDKSource
    from router.refresh._sources import AnthropicSource as AnthropicSource
    from router.refresh._sources import BundledSource as BundledSource
    from router.refresh._sources import FileSource as FileSource
    from router.refresh._sources import Source as Source
    from router.refresh._sources import StaticSource as StaticSource
    from router.requests._fallbacks import Fallbacks as Fallbacks
    from router.requests._fitting import Fitted as Fitted
    from router.requests._fitting import OnUnsupported as OnUnsupported
    from router.requests._fitting import RequestChange as RequestChange
    from router.requests._fitting import fit as fit
    from router.requests._reading import RequestRequirement as RequestRequirement
    from router.requests._reading import requirement_of as requirement_of
    from router.requests._routing import Routed as Routed
    from router.requests._tokens import CountTokens as CountTokens
    from router.requests._tokens import InputTokens as InputTokens
    from router.requirements._expression import Places as Places
    from router.requirements._expression import Requirement as Requirement
    from router.requirements._needs import KeywordValue as KeywordValue
    from router.requirements._parser import require as require
    from router.tools._audit import Audit as Audit
    from router.tools._audit import AuditVerdict as AuditVerdict
    from router.tools._audit import Finding as Finding

_HOMES = {
    "AmbiguousModelError": "_errors",
    "Answer": "execution._attempts",
    "AnthropicSource": "refresh._sources",
    "Attempt": "execution._attempts",
    "Audit": "tools._audit",
    "AuditVerdict": "tools._audit",
    "BundledSource": "refresh._sources",
    "Catalogue": "catalogue._catalogue",
    "CatalogueDiff": "catalogue._diff",
    "CatalogueError": "_errors",
    "CatalogueUnavailableError": "_errors",
    "Change": "catalogue._diff",
    "Classify": "execution._attempts",
    "ConfigurationError": "_errors",
    "ConflictingEntriesError": "_errors",
    "Cooling": "_status",
    "Correction": "models._packaged_facts",
    "CountTokens": "requests._tokens",
    "Deadline": "refresh._deadline",
    "Decision": "catalogue._decision",
    "DocumentedPath": "models._packaged_facts",
    "Failure": "execution._failures",
    "FailureClass": "execution._failures",
    "FallbackExhaustedError": "execution._attempts",
    "Fallbacks": "requests._fallbacks",
    "FileSource": "refresh._sources",
    "Finding": "tools._audit",
    "Fitted": "requests._fitting",
    "Gate": "catalogue._gate",
    "GateReason": "catalogue._gate",
    "Impact": "catalogue._diff",
    "InputTokens": "requests._tokens",
    "KeywordValue": "requirements._needs",
    "Lock": "locking._lockfile",
    "LockChange": "locking._resolution",
    "LockError": "_errors",
    "LockProblem": "locking._checking",
    "LockProblemKind": "locking._checking",
    "Locked": "locking._lockfile",
    "MalformedEntryError": "_errors",
    "Model": "models._model",
    "Need": "catalogue._policy",
    "NoModelError": "catalogue._decision",
    "OnDisagreement": "execution._attempts",
    "OnError": "refresh._notifier",
    "OnFallback": "execution._attempts",
    "OnLockBroken": "locking._answers",
    "OnRefresh": "refresh._notifier",
    "OnUnsupported": "requests._fitting",
    "Outdated": "locking._resolution",
    "Places": "requirements._expression",
    "Policy": "catalogue._policy",
    "Progress": "refresh._listing",
    "Provenance": "models._model",
    "Reason": "catalogue._explanation",
    "RequestChange": "requests._fitting",
    "RequestRequirement": "requests._reading",
    "Requirement": "requirements._expression",
    "RequirementError": "_errors",
    "RequirementSyntaxError": "_errors",
    "Resolution": "locking._resolution",
    "Routed": "requests._routing",
    "Router": "_router",
    "RouterError": "_errors",
    "RouterStatus": "_status",
    "Run": "execution._run",
    "RunOptions": "execution._options",
    "SDKSource": "refresh._sdk_source",
    "Source": "refresh._sources",
    "StaticSource": "refresh._sources",
    "Support": "models._model",
    "Term": "catalogue._terms",
    "UnfitRequestError": "_errors",
    "UnknownModelError": "_errors",
    "UnknownNameError": "_errors",
    "Unmet": "catalogue._terms",
    "Verdict": "catalogue._gate",
    "Why": "catalogue._why",
    "auto_model": "integrations.anthropic",
    "check_lock": "locking._checking",
    "classify": "execution._failures",
    "fit": "requests._fitting",
    "outdated": "locking._resolution",
    "require": "requirements._parser",
    "requirement_of": "requests._reading",
    "resolve": "locking._resolution",
    "why": "catalogue._why",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    """Import a public name on its first use (PEP 562), so that `import router` costs nothing."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'router' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"router.{home}"), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
