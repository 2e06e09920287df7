"""Clients that are not ours judge the lab: Microsoft's azure-identity and msgraph-sdk.

They sign in and change key credentials as they would in a real tenant, and what is documented to be
refused comes back to them as an error of their own that they can read.
"""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from lab.microsoft365 import Microsoft365, directory, sample
from lab.microsoft365.clouds import EXCHANGE_ONLINE
from lab.microsoft365.directory import Holder, Kind
from lab.microsoft365.federation import GLOBAL_AUDIENCE, LabIssuer, account_subject
from lab.microsoft365.proof_of_possession import AUDIENCE
from lab.microsoft365.server import NAMES, Microsoft365Servers
from lab.network.ca import PrivateCA, key_pem, rsa_key, self_signed

# The SDK's generated code, much of it imported at its first use, calls itself old.
OLD = "ignore:.*deprecated:DeprecationWarning"
pytestmark = [pytest.mark.lab, pytest.mark.filterwarnings(OLD)]

pytest.importorskip("msgraph", reason="only make test has Microsoft's own clients: 400 MB")
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import azure.identity
    import httpx
    from azure.core.exceptions import ClientAuthenticationError
    from azure.core.pipeline.transport import RequestsTransport
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from kiota_authentication_azure.azure_identity_authentication_provider import (
        AzureIdentityAuthenticationProvider,
    )
    from msgraph import GraphRequestAdapter, GraphServiceClient
    from msgraph.generated.models.application import Application
    from msgraph.generated.models.key_credential import KeyCredential
    from msgraph.generated.models.o_data_errors.o_data_error import ODataError
    from msgraph.generated.models.service_principal import ServicePrincipal
    from msgraph.generated.service_principals.item.add_key import add_key_post_request_body
    from msgraph.generated.service_principals_with_app_id import (
        service_principals_with_app_id_request_builder as by_app_id,
    )
    from msgraph_core import GraphClientFactory

SCOPE = "https://graph.microsoft.com/.default"
KEY = rsa_key("auth certificate")
BORN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
AUTH = self_signed("auth certificate", start=BORN, key=KEY)
ISSUER = LabIssuer()
SUBJECT = account_subject("exchange", "fabrikam-entra")

Asked = Callable[[GraphServiceClient], Awaitable[Any]]


@dataclass(frozen=True)
class Lab:
    """The model behind real sockets."""

    model: Microsoft365
    urls: dict[str, str]
    ca_file: Path
    opened: ExitStack

    def transport(self) -> RequestsTransport:
        """What azure-identity asks through: trusting the lab's CA, closed with the lab."""
        ca_file = str(self.ca_file)
        made = RequestsTransport(connection_verify=ca_file, use_env_settings=False)
        self.opened.callback(made.close)
        return made

    def credential(self, kind: str, *proof: Any, **options: Any) -> Any:
        """One of azure-identity's, pointed at the lab."""
        return getattr(azure.identity, kind)(
            sample.FABRIKAM,
            sample.CLIENT,
            *proof,
            authority=self.urls["authority"],
            disable_instance_discovery=True,
            transport=RequestsTransport(
                connection_verify=str(self.ca_file), use_env_settings=False
            ),
            **options,
        )

    def ask(self, question: Asked) -> Any:
        """What msgraph-sdk makes of the lab's answer."""
        return asyncio.run(self._ask(question))

    async def _ask(self, question: Asked) -> Any:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        provider = AzureIdentityAuthenticationProvider(
            self.credential("ClientSecretCredential", sample.SECRET),
            scopes=[SCOPE],
            allowed_hosts=["localhost"],
        )
        # The SDK's middleware does not close what it is put in front of.
        async with aclosing(httpx.AsyncHTTPTransport(verify=context)) as transport:
            plain = httpx.AsyncClient(transport=transport, trust_env=False)
            client = GraphClientFactory.create_with_default_middleware(client=plain)
            adapter = GraphRequestAdapter(provider, client)
            adapter.base_url = f"{self.urls['graph']}/v1.0"
            return await question(GraphServiceClient(request_adapter=adapter))

    def refusal(self, question: Asked) -> tuple[int, str, list[str]]:
        """Status, code and the codes of the details."""
        with pytest.raises(ODataError) as refused:
            self.ask(question)
        error = refused.value.error
        assert error.message
        assert error.inner_error.request_id
        return (
            refused.value.response_status_code,
            error.code,
            [detail.code for detail in error.details or ()],
        )


@pytest.fixture(name="lab")
def running(tmp_path: Path) -> Iterator[Lab]:
    ca = PrivateCA()
    ca_file = ca.write(tmp_path / "ca.crt")
    model = sample.sample(certificate=sample.client_certificate())
    context = ca.issue(NAMES).server_context(tmp_path)
    with Microsoft365Servers(model, context) as servers, ExitStack() as opened:
        yield Lab(model, servers.urls(), ca_file, opened)


def holder(lab: Lab) -> Holder:
    return sample.principal(lab.model)


def entry(certificate: x509.Certificate = AUTH, **fields: Any) -> KeyCredential:
    return KeyCredential(
        **{
            "type": "AsymmetricX509Cert",
            "usage": "Verify",
            "key": certificate.public_bytes(Encoding.DER),
            **fields,
        }
    )


async def look(client: GraphServiceClient) -> Any:
    builder = by_app_id.ServicePrincipalsWithAppIdRequestBuilder
    query = builder.ServicePrincipalsWithAppIdRequestBuilderGetQueryParameters(
        select=["id", "appId", "displayName", "keyCredentials"]
    )
    settings = RequestConfiguration(query_parameters=query)
    return await client.service_principals_with_app_id(EXCHANGE_ONLINE).get(settings)


def patch(lab: Lab, *keys: KeyCredential) -> Asked:
    principal = ServicePrincipal(key_credentials=list(keys))
    item = holder(lab).object_id
    return lambda client: client.service_principals.by_service_principal_id(item).patch(principal)


def add_key(lab: Lab, proof: str | None) -> Asked:
    item = holder(lab).object_id
    body = add_key_post_request_body.AddKeyPostRequestBody(key_credential=entry(), proof=proof)
    return lambda client: client.service_principals.by_service_principal_id(item).add_key.post(body)


def test_a_client_secret_gets_a_token(lab: Lab) -> None:
    token = lab.credential("ClientSecretCredential", sample.SECRET).get_token(SCOPE).token
    assert jwt.decode(token, options={"verify_signature": False})["tid"] == sample.FABRIKAM


def test_a_client_certificate_gets_a_token(lab: Lab) -> None:
    registered = sample.principal(lab.model, sample.CLIENT).keys[0].certificate
    pem = sample.client_key_pem() + registered.public_bytes(Encoding.PEM)
    credential = lab.credential("CertificateCredential", certificate_data=pem)
    assert credential.get_token(SCOPE).token


def test_a_token_of_a_service_account_gets_a_token(lab: Lab) -> None:
    lab.model.tokens.issuers[ISSUER.url] = ISSUER.keys
    sample.principal(lab.model, sample.CLIENT).federated = (ISSUER.credential(SUBJECT),)
    token = ISSUER.token(SUBJECT, GLOBAL_AUDIENCE, lab.model.now())
    credential = lab.credential("ClientAssertionCredential", lambda: token)
    assert credential.get_token(SCOPE).token


def test_a_token_file_of_workload_identity_gets_a_token(lab: Lab, tmp_path: Path) -> None:
    lab.model.tokens.issuers[ISSUER.url] = ISSUER.keys
    sample.principal(lab.model, sample.CLIENT).federated = (ISSUER.credential(SUBJECT),)
    path = tmp_path / "token"
    path.write_text(ISSUER.token(SUBJECT, GLOBAL_AUDIENCE, lab.model.now()))
    credential = azure.identity.WorkloadIdentityCredential(
        tenant_id=sample.FABRIKAM,
        client_id=sample.CLIENT,
        token_file_path=str(path),
        authority=lab.urls["authority"],
        disable_instance_discovery=True,
        transport=lab.transport(),
    )
    assert credential.get_token(SCOPE).token


def test_what_is_not_trusted_is_refused_with_an_aadsts_number(lab: Lab) -> None:
    token = ISSUER.token(SUBJECT, GLOBAL_AUDIENCE, lab.model.now())
    wrong = {
        "AADSTS7000215": lab.credential("ClientSecretCredential", "wrong"),
        "AADSTS700211": lab.credential("ClientAssertionCredential", lambda: token),
    }
    for number, credential in wrong.items():
        with pytest.raises(ClientAuthenticationError, match=number):
            credential.get_token(SCOPE)


def test_the_keys_of_the_principal_are_read(lab: Lab) -> None:
    found = lab.ask(look)
    (theirs,) = found.key_credentials
    assert found.app_id == EXCHANGE_ONLINE
    assert theirs.key == holder(lab).keys[0].key
    assert str(theirs.key_id) == holder(lab).keys[0].key_id


def test_a_key_is_added_beside_those_that_are_sent_back(lab: Lab) -> None:
    (theirs,) = lab.ask(look).key_credentials
    theirs.key = None
    before = holder(lab).keys[0]
    lab.ask(patch(lab, theirs, entry(display_name="ours", start_date_time=BORN)))
    kept, ours = holder(lab).keys
    assert kept == before
    assert (ours.certificate, ours.display_name, ours.start) == (AUTH, "ours", BORN)


def test_a_list_that_leaves_a_key_out_removes_it(lab: Lab) -> None:
    lab.ask(patch(lab))
    assert holder(lab).keys == ()


def test_an_existing_entry_cannot_be_given_another_key(lab: Lab) -> None:
    (theirs,) = lab.ask(look).key_credentials
    theirs.key = AUTH.public_bytes(Encoding.DER)
    told = lab.refusal(patch(lab, theirs))
    assert told == (400, "Request_BadRequest", ["KeyNotUpdatable"])


REFUSED: dict[str, tuple[dict[str, Any], tuple[int, str, list[str]]]] = {
    "a missing key": ({"key": None}, (400, "Request_BadRequest", [])),
    "a wrong type": ({"type": "Symmetric"}, (400, "Request_BadRequest", [])),
    "a wrong usage": ({"usage": "Sign"}, (400, "Request_BadRequest", [])),
    "no certificate": (
        {"key": b"no DER"},
        (400, "Request_BadRequest", ["KeyCredentialsInvalidValue"]),
    ),
    "an end after the certificate's": (
        {"end_date_time": BORN + timedelta(days=4000)},
        (400, "KeyCredentialsInvalidEndDate", []),
    ),
    "an end in the past": (
        {"end_date_time": BORN + timedelta(hours=1)},
        (400, "KeyCredentialsInvalidEndDate", []),
    ),
}


@pytest.mark.parametrize(("fields", "told"), REFUSED.values(), ids=REFUSED)
def test_a_new_entry_is_refused_for(
    lab: Lab, fields: dict[str, Any], told: tuple[int, str, list[str]]
) -> None:
    before = holder(lab).keys
    assert lab.refusal(patch(lab, entry(**fields))) == told
    assert holder(lab).keys == before


def proof(lab: Lab, key: str = "auth certificate", minutes: int = 10, **claims: Any) -> str:
    now = int(lab.model.now().timestamp())
    said = {"aud": AUDIENCE, "iss": holder(lab).object_id, "nbf": now, "exp": now + 60 * minutes}
    return jwt.encode({**said, **claims}, key_pem(rsa_key(key)), algorithm="RS256")


def test_add_key_takes_a_proof_made_with_a_key_that_is_there(lab: Lab) -> None:
    holder(lab).keys = (*holder(lab).keys, directory.KeyCredential.of(AUTH))
    added = lab.ask(add_key(lab, proof(lab)))
    assert str(added.key_id) == holder(lab).keys[-1].key_id
    assert len(holder(lab).keys) == 3


@pytest.mark.parametrize(
    "made",
    [
        lambda _: None,
        lambda _: "opaque",
        lambda lab: proof(lab, key="a thief's"),
        lambda lab: proof(lab, aud="00000003-0000-0000-c000-000000000000"),
        lambda lab: proof(lab, iss=EXCHANGE_ONLINE),
        lambda lab: proof(lab, minutes=60),
    ],
    ids=["none", "no token", "another key", "another audience", "another issuer", "too long"],
)
def test_add_key_without_a_good_proof_is_refused(lab: Lab, made: Callable[[Lab], Any]) -> None:
    holder(lab).keys = (*holder(lab).keys, directory.KeyCredential.of(AUTH))
    told = lab.refusal(add_key(lab, made(lab)))
    assert told == (401, "Authentication_MissingOrMalformed", [])
    assert len(holder(lab).keys) == 2


def test_the_first_key_cannot_be_added_with_a_proof_of_itself(lab: Lab) -> None:
    holder(lab).keys = ()
    told = lab.refusal(add_key(lab, proof(lab)))
    assert told == (401, "Authentication_MissingOrMalformed", [])


def test_a_missing_permission_is_refused(lab: Lab) -> None:
    lab.model.grant(sample.FABRIKAM, sample.CLIENT, {"Application.Read.All"})
    assert lab.refusal(patch(lab, entry())) == (403, "Authorization_RequestDenied", [])


def test_a_principal_that_is_not_there_is_refused(lab: Lab) -> None:
    lab.model.set_fault("not_provisioned", value=True)
    assert lab.refusal(look) == (404, "Request_ResourceNotFound", [])


def test_an_application_takes_a_key_as_a_principal_does(lab: Lab) -> None:
    found = lab.model.tenant(sample.FABRIKAM).find(Kind.APPLICATION, sample.DEDICATED)
    assert found is not None
    change = Application(key_credentials=[entry()])
    lab.ask(lambda client: client.applications.by_application_id(found.object_id).patch(change))
    assert [key.certificate for key in found.keys] == [AUTH]
