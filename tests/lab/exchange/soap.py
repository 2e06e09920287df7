"""WS-Management messages of a remote shell: reading requests, writing answers and faults."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from lab.exchange.texts import say

_NS: Final = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
    "x": "http://schemas.xmlsoap.org/ws/2004/09/transfer",
}
_XMLNS: Final = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in _NS.items())
_FAULT: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
_STATE: Final = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState"
_DURATION: Final = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?$")

TIMED_OUT: Final = 2150858793
SHELL_NOT_FOUND: Final = 2150858843
SCHEMA: Final = 2150858817
SHELL_QUOTA: Final = 2150859173
# wsmerror.h: shells, operations, of the user, of the system, users; those of the plug-in
QUOTAS: Final = (*range(2150859173, 2150859177), 2150859179, *range(2150859236, 2150859243))
OTHER_USER: Final = 2150859177
BUSY: Final = 170
BROKEN_PIPE: Final = 232  # inferred: what Windows says on a Send to a process that has ended

_SUBCODES: Final = {
    TIMED_OUT: "w:TimedOut",
    SHELL_NOT_FOUND: "w:InvalidSelectors",
    SCHEMA: "w:SchemaValidationError",
    **dict.fromkeys(QUOTAS, "w:QuotaLimit"),
    OTHER_USER: "w:AccessDenied",
    BUSY: "w:InternalError",
    BROKEN_PIPE: "w:InternalError",
}


class Fault(Exception):
    """A SOAP fault with a WS-Management code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Request:
    """A request: what is asked for, of which shell and command."""

    action: str
    message_id: str
    timeout: float
    shell_id: str
    resource: str
    body: ET.Element

    def text(self, path: str) -> str:
        found = self.body.find(path, _NS)
        return (found.text or "") if found is not None else ""

    def attribute(self, path: str, name: str) -> str:
        found = self.body.find(path, _NS)
        return found.get(name, "") if found is not None else ""

    @property
    def command(self) -> str:
        """The command line: command and arguments."""
        arguments = [one.text or "" for one in self.body.findall(".//rsp:Arguments", _NS)]
        return " ".join([self.text(".//rsp:Command"), *arguments])


def read(raw: bytes) -> Request:
    """Raises: Fault (schema)."""
    try:
        root = ET.fromstring(raw)  # noqa: S314 - sent by the lab's own clients
    except ET.ParseError:
        raise Fault(SCHEMA) from None
    return Request(
        action=_text(root, ".//a:Action").rpartition("/")[2],
        message_id=_text(root, ".//a:MessageID"),
        timeout=seconds(_text(root, ".//w:OperationTimeout") or "PT60S"),
        shell_id=_text(root, ".//w:Selector").upper(),
        resource=_text(root, ".//w:ResourceURI"),
        body=root,
    )


def _text(root: ET.Element, path: str) -> str:
    found = root.find(path, _NS)
    return (found.text or "") if found is not None else ""


def seconds(duration: str) -> float:
    """An XML duration such as PT1800S. Raises: Fault (schema), as for milliseconds."""
    found = _DURATION.match(duration)
    if found is None:
        raise Fault(SCHEMA)
    hours, minutes, rest = found.groups(default="0")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def envelope(action: str, message_id: str, body: str) -> bytes:
    return (
        f"<s:Envelope {_XMLNS}><s:Header><a:Action>{action}</a:Action>"
        f"<a:RelatesTo>{escape(message_id)}</a:RelatesTo></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault(code: int, message_id: str, culture: str = "en-US") -> bytes:
    """Only the text is in the language of the server."""
    reason = say(culture, f"wsman_{SHELL_QUOTA if code in QUOTAS else code}")
    detail = (
        '<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"'
        f' Code="{code}" Machine="lab"><f:Message>{reason}</f:Message></f:WSManFault>'
    )
    return envelope(
        _FAULT,
        message_id,
        f"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>{_SUBCODES[code]}</s:Value>"
        f'</s:Subcode></s:Code><s:Reason><s:Text xml:lang="{culture}">{reason}</s:Text></s:Reason>'
        f"<s:Detail>{detail}</s:Detail></s:Fault>",
    )


def created(shell_id: str) -> str:
    return (
        "<x:ResourceCreated><a:ReferenceParameters><w:SelectorSet>"
        f'<w:Selector Name="ShellId">{shell_id}</w:Selector>'
        "</w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>"
    )


def received(command_id: str, streams: dict[str, bytes], exit_code: int | None) -> str:
    """What a Receive carries: output, and the exit code once the process has ended."""
    parts = [
        f'<rsp:Stream Name="{name}" CommandId="{command_id}">'
        f"{base64.b64encode(data).decode()}</rsp:Stream>"
        for name, data in streams.items()
    ]
    state, tail = ("Running", "")
    if exit_code is not None:
        state, tail = ("Done", f"<rsp:ExitCode>{exit_code}</rsp:ExitCode>")
    parts.append(
        f'<rsp:CommandState CommandId="{command_id}" State="{_STATE}/{state}">{tail}'
        "</rsp:CommandState>"
    )
    return f"<rsp:ReceiveResponse>{''.join(parts)}</rsp:ReceiveResponse>"
