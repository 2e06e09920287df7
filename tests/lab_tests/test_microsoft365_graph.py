"""Graph of the lab: who may ask, what is shown, what fails on demand."""

import base64
import json
from collections.abc import Iterable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.errors import (
    GraphFailed,
    OutcomeUnknown,
    Refused,
    Throttled,
    Unreachable,
)
from exchange_push_operator.core.ports import GraphAccess, Sensitive
from exchange_push_operator.core.reasons import Reason
from lab.exchange.trust import NoConnection
from lab.microsoft365 import HttpRequest, Microsoft365, sample
from lab.microsoft365.clouds import CLOUDS, EXCHANGE_ONLINE, GLOBAL, Cloud
from lab.microsoft365.in_process import InProcessGraph
from lab.network.ca import self_signed

BY_APP_ID = f"servicePrincipals(appId='{EXCHANGE_ONLINE}')"
READ = GraphRequest("GET", f"{BY_APP_ID}?$select=id,appId,displayName,keyCredentials")
CLEAR = GraphRequest("PATCH", BY_APP_ID, {"keyCredentials": []})


def access(cloud: Cloud = GLOBAL, **other: Any) -> GraphAccess:
    fields = {
        "authority": f"https://{cloud.login[0]}",
        "graph": f"https://{cloud.graph}",
        "tenant_id": sample.FABRIKAM,
        "client_id": sample.CLIENT,
        "client_secret": Sensitive.of(sample.SECRET),
        "certificate": None,
        "private_key": None,
        "version": "1",
        **other,
    }
    return GraphAccess(**fields)


def graph(model: Microsoft365, **other: Any) -> InProcessGraph:
    return InProcessGraph(model, access(**other))


def with_roles(roles: Iterable[str]) -> InProcessGraph:
    model = sample.sample()
    model.grant("fabrikam.com", sample.CLIENT, roles)
    return graph(model)


def keys(answer: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = answer["keyCredentials"]
    return found


def test_the_key_is_shown_for_one_object_whose_key_credentials_are_selected() -> None:
    port = graph(sample.sample())
    assert keys(port.send(READ))[0]["key"].startswith("MII")
    assert keys(port.send(GraphRequest("GET", BY_APP_ID)))[0]["key"] is None
    listed = f"servicePrincipals?$filter=appId eq '{EXCHANGE_ONLINE}'&$select=id,keyCredentials"
    assert keys(port.send(GraphRequest("GET", listed))["value"][0])[0]["key"] is None


def test_an_object_is_found_by_both_of_its_ids() -> None:
    port = graph(sample.sample())
    found = port.send(READ)
    assert found["appId"] == EXCHANGE_ONLINE
    assert port.send(GraphRequest("GET", f"servicePrincipals/{found['id']}"))["id"] == found["id"]
    dedicated = GraphRequest("GET", f"applications(appId='{sample.DEDICATED}')?$select=appId")
    assert port.send(dedicated)["appId"] == sample.DEDICATED


def test_the_organisation_names_its_tenant_and_domains() -> None:
    answer = graph(sample.sample()).send(
        GraphRequest("GET", "organization?$select=id,verifiedDomains")
    )
    assert answer["value"][0]["id"] == sample.FABRIKAM
    names = [domain["name"] for domain in answer["value"][0]["verifiedDomains"]]
    assert "fabrikam.com" in names


def test_a_patch_answers_nothing_and_is_seen_by_the_next_read() -> None:
    port = graph(sample.sample())
    assert port.send(CLEAR) == {}
    assert keys(port.send(READ)) == []


@pytest.mark.parametrize(
    ("roles", "reads", "writes"),
    [
        ((), False, False),
        (("Organization.Read.All",), False, False),
        (("Application.Read.All",), True, False),
        (("Application.ReadWrite.OwnedBy",), False, False),
        (("Application.ReadWrite.All",), True, True),
    ],
)
def test_the_shared_principal_needs_a_role(
    roles: tuple[str, ...], *, reads: bool, writes: bool
) -> None:
    port = with_roles(roles)
    for request, allowed in ((READ, reads), (CLEAR, writes)):
        if allowed:
            port.send(request)
            continue
        with pytest.raises(GraphFailed, match="Insufficient privileges") as refused:
            port.send(request)
        assert (refused.value.status, refused.value.codes) == (
            403,
            ("Authorization_RequestDenied",),
        )


def test_the_owner_of_the_dedicated_application_may_write_to_it() -> None:
    port = with_roles(["Application.ReadWrite.OwnedBy"])
    request = GraphRequest("PATCH", f"applications(appId='{sample.DEDICATED}')", CLEAR.body)
    assert port.send(request) == {}


def test_a_role_counts_from_the_next_token_on() -> None:
    model = sample.sample()
    port = graph(model)
    assert "Application.ReadWrite.All" in port.identity().roles
    model.grant("fabrikam.com", sample.CLIENT, ["Application.Read.All"])
    assert port.send(CLEAR) == {}
    model.set_fault("token_rejected", 1)
    with pytest.raises(GraphFailed):
        port.send(CLEAR)
    assert port.identity().roles == {"Application.Read.All"}


@pytest.mark.parametrize(
    ("fault", "value", "status", "code"),
    [
        ("not_provisioned", True, 404, "Request_ResourceNotFound"),
        ("first_party_locked", True, 403, "Authorization_RequestDenied"),
        ("instance_property_lock", True, 400, "CannotUpdateLockedServicePrincipalProperty"),
        (
            "app_policy",
            "CredentialTypeNotAllowedAsPerAppPolicy",
            400,
            "CredentialTypeNotAllowedAsPerAppPolicy",
        ),
        ("concurrency_violation", 1, 409, "Directory_ConcurrencyViolation"),
    ],
)
def test_a_tenant_may_refuse_a_write(fault: str, value: Any, status: int, code: str) -> None:
    model = sample.sample()
    model.set_fault(fault, value)
    with pytest.raises(GraphFailed) as refused:
        graph(model).send(CLEAR)
    assert (refused.value.status, refused.value.codes) == (status, (code,))
    assert len(sample.principal(model).keys) == 1


def test_throttling_says_how_long_or_nothing() -> None:
    model = sample.sample()
    port = graph(model)
    model.set_fault("graph_failure", {"status": 429, "times": 1, "retryAfter": 7})
    with pytest.raises(Throttled) as said:
        port.send(READ)
    model.set_fault("graph_failure", {"status": 429, "times": 1})
    with pytest.raises(Throttled) as unsaid:
        port.send(CLEAR)
    assert (said.value.retry_after, unsaid.value.retry_after) == (7, None)
    assert keys(port.send(READ))


@pytest.mark.parametrize("status", [0, 500, 503])
def test_a_failure_leaves_a_look_harmless_and_a_change_open(status: int) -> None:
    model = sample.sample()
    port = graph(model)
    port.identity()
    model.set_fault("graph_failure", {"status": status})
    with pytest.raises(Unreachable):
        port.send(READ)
    with pytest.raises(OutcomeUnknown):
        port.send(CLEAR)
    assert len(sample.principal(model).keys) == 1


def test_a_failure_may_concern_one_method_only() -> None:
    model = sample.sample()
    model.set_fault("graph_failure", {"status": 500, "method": "PATCH"})
    port = graph(model)
    assert keys(port.send(READ))
    with pytest.raises(OutcomeUnknown):
        port.send(CLEAR)


def test_the_answer_to_a_change_may_be_lost_after_its_effect() -> None:
    model = sample.sample()
    model.set_fault("reset_after_patch", 1)
    with pytest.raises(OutcomeUnknown):
        graph(model).send(CLEAR)
    assert sample.principal(model).keys == ()


def test_reads_may_lag_behind_a_write() -> None:
    model = sample.sample()
    model.set_fault("read_lag", 2)
    port = graph(model)
    port.send(CLEAR)
    assert [len(keys(port.send(READ))) for _ in range(3)] == [1, 1, 0]


def test_a_rival_adds_its_key_between_a_read_and_a_write() -> None:
    model = sample.sample()
    model.set_fault("rival", 1)
    port = graph(model)
    assert [len(keys(port.send(READ))) for _ in range(2)] == [1, 2]


def test_a_token_turned_down_twice_is_a_refusal() -> None:
    model = sample.sample()
    model.set_fault("token_rejected", 1)
    port = graph(model)
    assert keys(port.send(READ))
    model.set_fault("token_rejected", 2)
    with pytest.raises(Refused) as refused:
        port.send(READ)
    assert refused.value.reason is Reason.ACCESS_DENIED


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.name)
def test_every_cloud_has_its_own_hosts_and_audience(cloud: Cloud) -> None:
    port = InProcessGraph(sample.sample(), access(cloud))
    assert port.identity().tenant_id == sample.FABRIKAM
    assert keys(port.send(READ))


def test_a_token_of_another_cloud_is_not_accepted() -> None:
    model = sample.sample()
    refused = (401, "InvalidAuthenticationToken")
    assert _look(model, "graph.microsoft.us", _global_token(model)) == refused
    assert _look(model, "graph.microsoft.com", "not.a.token") == refused


def test_a_token_that_has_run_out_is_not_accepted_and_replaced_in_time() -> None:
    model = sample.sample()
    port, token = graph(model), _global_token(model)
    port.identity()
    model.set_fault("clock_skew", 7200)
    assert _look(model, "graph.microsoft.com", token) == (401, "InvalidAuthenticationToken")
    assert keys(port.send(READ))


def _global_token(model: Microsoft365) -> str:
    form = {
        "client_id": sample.CLIENT,
        "client_secret": sample.SECRET,
        "grant_type": "client_credentials",
        "scope": "https://graph.microsoft.com/.default",
    }
    url = f"https://login.microsoftonline.com/{sample.FABRIKAM}/oauth2/v2.0/token"
    token: str = model.handle(HttpRequest.to("POST", url, form=form)).json()["access_token"]
    return token


def _look(model: Microsoft365, host: str, token: str) -> tuple[int, str]:
    headers = {"authorization": f"Bearer {token}"}
    answer = model.handle(HttpRequest("GET", host, f"/v1.0/{BY_APP_ID}", "", headers))
    return answer.status, answer.json()["error"]["code"]


def test_an_error_has_the_shape_of_graph() -> None:
    model = sample.sample()
    headers = {"client-request-id": "11111111-0000-4000-8000-000000000001"}
    request = HttpRequest("GET", "graph.microsoft.com", f"/v1.0/{BY_APP_ID}", "", headers)
    answer = model.handle(request)
    error = json.loads(answer.body)["error"]
    assert set(error) == {"code", "message", "innerError"}
    assert set(error["innerError"]) == {"date", "request-id", "client-request-id"}
    assert error["innerError"]["client-request-id"] == headers["client-request-id"]
    assert answer.headers["request-id"] == error["innerError"]["request-id"]


@pytest.mark.parametrize("path", ["users", "servicePrincipals(appId='x')/owners", "organization/1"])
def test_what_the_lab_does_not_have_is_refused(path: str) -> None:
    with pytest.raises(GraphFailed):
        graph(sample.sample()).send(GraphRequest("GET", path))


def test_a_host_outside_of_the_model_does_not_answer() -> None:
    with pytest.raises(NoConnection):
        sample.sample().handle(HttpRequest.to("GET", "https://example.org/"))
    with pytest.raises(Unreachable):
        graph(sample.sample(), authority="https://login.example").send(READ)


def test_hooks_cut_a_call_before_or_after_its_effect() -> None:
    class CutError(Exception):
        pass

    def cut(call: str, changes: bool) -> None:  # noqa: FBT001 - a hook
        if changes:
            raise CutError(call)

    model = sample.sample()
    with pytest.raises(CutError):
        InProcessGraph(model, access(), before=cut).send(CLEAR)
    assert len(sample.principal(model).keys) == 1
    with pytest.raises(CutError):
        InProcessGraph(model, access(), after=cut).send(CLEAR)
    assert sample.principal(model).keys == ()


def test_the_dump_is_json_without_secrets() -> None:
    model = sample.sample()
    port = graph(model)
    port.send(READ)
    text = json.dumps(model.dump())
    assert sample.SECRET not in text
    assert "Bearer" not in text
    assert "eyJ" not in text
    assert f"GET https://graph.microsoft.com/v1.0/{BY_APP_ID} 200" in text


def test_a_switch_that_does_not_exist_or_fit_is_refused() -> None:
    model = sample.sample()
    with pytest.raises(ValueError, match="there are: accept_dedicated_application"):
        model.set_fault("made_up", 1)
    for name, value in (("read_lag", -1), ("graph_failure", {"times": 1}), ("slow", {"dns": 1})):
        with pytest.raises(ValueError, match="cannot be"):
            model.set_fault(name, value)
    model.set_fault("read_lag", 3)
    model.set_fault("read_lag", None)
    assert model.dump()["faults"] == {}


@pytest.mark.parametrize(
    "body",
    [b"not json", b"[]", b"{}", b'{"displayName":"x"}', b'{"keyCredentials":[],"displayName":"x"}'],
)
def test_a_body_that_is_not_about_key_credentials_is_refused(body: bytes) -> None:
    model = sample.sample()
    headers = {"authorization": f"Bearer {_global_token(model)}"}
    request = HttpRequest("PATCH", "graph.microsoft.com", f"/v1.0/{BY_APP_ID}", "", headers, body)
    assert model.handle(request).status == 400
    assert len(sample.principal(model).keys) == 1


def test_the_code_of_a_detail_reaches_the_caller() -> None:
    port = graph(sample.sample())
    entry = keys(port.send(READ))[0]
    other = base64.b64encode(self_signed("other").public_bytes(Encoding.DER)).decode()
    body = {"keyCredentials": [{**entry, "key": other}]}
    with pytest.raises(GraphFailed, match="is not allowed") as refused:
        port.send(GraphRequest("PATCH", BY_APP_ID, body))
    assert refused.value.codes == ("Request_BadRequest", "KeyNotUpdatable")


def test_a_property_that_does_not_exist_cannot_be_selected() -> None:
    with pytest.raises(GraphFailed, match="thumbprint"):
        graph(sample.sample()).send(GraphRequest("GET", f"{BY_APP_ID}?$select=thumbprint"))
