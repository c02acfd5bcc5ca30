"""Who looks at what doctor finds: users, an environment, and the only finding that there is."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from pystrix_typed.cli.permissions import User

from ..checkers import PACKAGES

if TYPE_CHECKING:
    from pystrix_typed.cli.finding import Finding

__all__ = ["ENVIRONMENT", "OURSELVES", "STRANGER", "only"]

#: Neither root nor whoever runs the tests.
STRANGER = User("stranger", 54_321, 54_321, frozenset({54_321}))
OURSELVES = User.numbered(os.geteuid()) if sys.platform != "win32" else None
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGES)}


def only(findings: list[Finding], status: str = "problem") -> Finding:
    [finding] = findings
    assert finding.status == status, finding
    assert bool(finding.advice) == (status != "ok")
    return finding
