"""Whichever quota of WinRM is used up, it is a pause, and nobody's fault."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.exchange.faults import set_fault
from lab.exchange.soap import QUOTAS
from lab.matrix.stages import COLUMNS
from lab.winrm_site import Site, SocketOperator

pytestmark = pytest.mark.lab


def test_every_quota_fault_is_throttled_and_waited_for(tmp_path: Path) -> None:
    outside = COLUMNS[0].lab()
    outside.resource["status"] = {}
    with ExitStack() as things:
        operator = SocketOperator(outside, Site(tmp_path, things))
        things.callback(operator.close)
        set_fault(outside.organization, "quota", value=True)
        for code in QUOTAS:
            set_fault(outside.organization, "quota_code", code)
            outcome = operator.step()
            assert outside.condition("Ready") == ("Unknown", "Throttled"), code
            assert outcome.requeue.at_least >= 300, code
