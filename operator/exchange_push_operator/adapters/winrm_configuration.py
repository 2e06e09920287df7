"""WinRM's own settings, as ``winrm get winrm/config`` shows them: a WS-Transfer Get."""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from typing import Any, cast

import xmltodict
from winrm.protocol import Protocol

from exchange_push_operator.adapters.winrm_transport import Wire

_CONFIGURATION = "http://schemas.microsoft.com/wbem/wsman/1/config"
_GET = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"


def winrm_configuration(wire: Wire) -> dict[str, str]:
    """Every setting by its own name, such as ``MaxEnvelopeSizekb``.

    ``Winrs`` and the service have settings of one name; the first in the document counts.

    Raises: whatever pywinrm raises.
    """
    protocol = cast("Protocol", wire)
    envelope: dict[str, Any] = {
        "env:Envelope": protocol.build_wsman_header(
            action=_GET, resource_uri=_CONFIGURATION, message_id=str(uuid.uuid4())
        )
    }
    envelope["env:Envelope"]["env:Body"] = {}
    answer = protocol.send_message(xmltodict.unparse(envelope))
    settings: dict[str, str] = {}
    for element in ET.fromstring(answer).iter():  # noqa: S314 - as pywinrm reads every answer
        if len(element) == 0 and element.text:
            settings.setdefault(element.tag.rpartition("}")[2], element.text.strip())
    return settings
