"""Fail a CI run if a locked model, or one that a file names, is retired or soon will be.

`python check_models.py router.toml router.lock src/*.py`
"""

import sys
from pathlib import Path

from router import Audit, BundledSource, Lock, Router, check_lock


def main(policies: str, lock: str, *files: str) -> int:
    router = Router(BundledSource(), policies=policies)
    problems = [
        f"{lock}: {problem}"
        for problem in check_lock(Lock.read(lock), router.policies, router.catalogue, within=60)
    ]
    audit = Audit(router.catalogue, within="60d")
    for path in files:
        findings = audit.findings(Path(path).read_bytes(), path)
        problems += [f"{path}:{each.line}: {each}" for each in findings if each.verdict.is_failure]
    print("\n".join(problems) or "every model is fine")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
