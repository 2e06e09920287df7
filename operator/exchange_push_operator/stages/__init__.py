"""The stages, in the order in which one builds on another. A new stage is a file and a line."""

from __future__ import annotations

from typing import Any

from exchange_push_operator.core.stage import Stage
from exchange_push_operator.stages import (
    auth_server,
    certificate,
    prerequisites,
    principal_credential,
    proxy,
    verification,
)

STAGES: tuple[Stage[Any], ...] = (
    prerequisites.STAGE,
    certificate.STAGE,
    auth_server.STAGE,
    principal_credential.STAGE,
    proxy.STAGE,
    verification.STAGE,
)
