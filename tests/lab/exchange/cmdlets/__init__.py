"""The cmdlets, one module for each of Exchange's own groups. ``RULES`` knows them all by name."""

from __future__ import annotations

from lab.exchange.cmdlets import (
    administrators,
    auth,
    certificate,
    local,
    monitoring,
    proxy,
    servers,
)
from lab.exchange.cmdlets.base import Call, Rule

RULES: dict[str, Rule] = {
    rule.name: rule
    for module in (auth, certificate, local, monitoring, proxy, servers, administrators)
    for rule in module.RULES
}

__all__ = ["RULES", "Call", "Rule"]
