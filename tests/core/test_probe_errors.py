"""What the words of a failed probe say of its cause, in whatever language the server speaks."""

from __future__ import annotations

import pytest

from exchange_push_operator.core.probe_errors import CURES, cause
from exchange_push_operator.core.reasons import Reason

WEB = "System.Net.WebException: "
KEY = (
    "AADSTS700027: Client assertion contains an invalid signature. [Reason - The key was not found"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Missing signing certificate.", Reason.SIGNING_CERTIFICATE_MISSING),
        (f"returned an error: (401) Unauthorized. {KEY}", Reason.SIGNING_KEY_REFUSED),
        ("invalid signature. [Reason - The key was not found.]", Reason.SIGNING_KEY_REFUSED),
        ("[Reason - The key used is expired.]", Reason.SIGNING_KEY_REFUSED),
        ("AADSTS700024: Client assertion is not within its valid time", Reason.CLOCK_DIFFERS),
        ("AADSTS700016: Application was not found", Reason.TOKEN_REFUSED),
        ("Unable to get the token from Auth Server. (401)", Reason.TOKEN_REFUSED),
        (
            "The user specified by the user-context in the token does not exist.",
            Reason.USER_CONTEXT_REFUSED,
        ),
        ("Fehler zurückgegeben: (401) Nicht autorisiert.", Reason.PUSH_UNAUTHORIZED),
        ("远程服务器返回错误: (403) 已禁止。", Reason.PUSH_FORBIDDEN),
        (f"{WEB}The remote server returned an error: (404) Not Found.", Reason.SERVICE_GONE),
        ("Le serveur distant a retourné une erreur: (410) Supprimé.", Reason.SERVICE_GONE),
        (f"{WEB}Der Remotename konnte nicht aufgelöst werden: 'outlook'", Reason.NO_CONNECTION),
        (f"{WEB}Unable to connect\r\n   at System.Net.HttpWebRequest()", Reason.NO_CONNECTION),
        ("System.Net.Sockets.SocketException: ... 10061", Reason.NO_CONNECTION),
        (f"{WEB}The remote server returned an error: (503) Unavailable.", Reason.PROBE_FAILED),
        ("port 4010, 10.4.0.1 (build 4041)", Reason.PROBE_FAILED),
        ("", Reason.PROBE_FAILED),
    ],
)  # fmt: skip
def test_known_words(text: str, expected: Reason) -> None:
    assert cause(text, None) is expected


@pytest.mark.parametrize(
    ("text", "token", "expected"),
    [
        ("(401)", "", Reason.PUSH_UNAUTHORIZED),
        ("(401)", KEY, Reason.SIGNING_KEY_REFUSED),
        ("(404)", f"{WEB}no such name", Reason.NO_CONNECTION),
        ("Missing signing certificate", "it failed", Reason.SIGNING_CERTIFICATE_MISSING),
        ("it failed", "it failed", Reason.TOKEN_REFUSED),
        ("it failed", "", Reason.PROBE_FAILED),
    ],
)
def test_without_a_token_the_tokens_trouble_counts(text: str, token: str, expected: Reason) -> None:
    assert cause(text, token) is expected


def test_every_cause_has_a_cure() -> None:
    texts = ["missing signing certificate", KEY, "AADSTS1", "user-context", "AADSTS700024"]
    texts += ["(401)", "(403)", f"{WEB}x", ""]
    assert {cause(text, None) for text in texts} <= set(CURES)
