"""What is told about a resource once: a Kubernetes event as a value."""

from __future__ import annotations

from dataclasses import dataclass

NORMAL = "Normal"
WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Event:
    """Something changed or newly failed.

    ``type`` is ``Normal`` or ``Warning``, ``reason`` is CamelCase (``CertificateAdopted``,
    ``ProxyEnabled``, ``DriftCorrected``), ``message`` one stable sentence without secrets: equal
    events of one object are counted, not repeated.
    """

    type: str
    reason: str
    message: str
