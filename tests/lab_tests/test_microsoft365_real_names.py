"""The product's adapters in a process of their own meet the lab under Microsoft's host names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from exchange_push_operator.core.clouds import CLOUDS as PRODUCT_CLOUDS
from lab.microsoft365 import Microsoft365, sample
from lab.microsoft365.clouds import CLOUDS, Cloud
from lab.microsoft365.federation import LabIssuer, account_subject
from lab.microsoft365.server import NAMES, Microsoft365Servers
from lab.network.ca import PrivateCA
from lab.network.redirect import Redirect

pytestmark = pytest.mark.lab

ISSUER, SUBJECT = LabIssuer(), account_subject("exchange", "fabrikam-entra")
CHILD = """
import json, pathlib, sys
from datetime import UTC, datetime
from exchange_push_operator.adapters.graph_msal import EntraGraphs
from exchange_push_operator.adapters.http import Https
from exchange_push_operator.adapters.metadata_http import HttpMetadata
from exchange_push_operator.core.clouds import CLOUDS
from exchange_push_operator.core.commands import GraphRequest
from exchange_push_operator.core.errors import PushError
from exchange_push_operator.core.ports import GraphAccess, Sensitive

task = json.loads(sys.argv[1])
https = Https(task["ca"])
cloud = CLOUDS[task["cloud"]]
nothing = dict.fromkeys(("client_secret", "certificate", "private_key"))

def access(number, files):
    proof = {kind: pathlib.Path(path).read_text() for kind, path in files.items()}
    hidden = {kind: Sensitive.of(text) for kind, text in proof.items() if kind != "certificate"}
    return GraphAccess(cloud.authority, cloud.graph, task["tenant"], task["client"],
                       version=f"{number}@", **{**nothing, **proof, **hidden})

try:
    graphs = EntraGraphs(https, lambda: datetime.now(UTC))
    connected = [graphs.connect(access(*one)) for one in enumerate(task["credentials"])]
    tenants = [graph.identity().tenant_id for graph in connected]
    found = connected[0].send(GraphRequest("GET", task["look"]))
    path = "servicePrincipals/" + found["id"]
    connected[0].send(GraphRequest("PATCH", path, {"keyCredentials": []}))
    metadata = HttpMetadata(https).fetch(task["metadata"])
    print(json.dumps([tenants, len(found["keyCredentials"]), metadata["realm"]]))
except PushError as error:
    print(json.dumps(str(error)))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("names")
    (made / "tls.crt").write_bytes(sample.client_certificate().public_bytes(Encoding.PEM))
    (made / "tls.key").write_bytes(sample.client_key_pem())
    return made


@pytest.fixture
def model(folder: Path) -> Microsoft365:
    certificate = load_pem_x509_certificate((folder / "tls.crt").read_bytes())
    return sample.sample(certificate=certificate)


@pytest.fixture
def redirect(folder: Path, model: Microsoft365) -> Iterator[Redirect]:
    ca, table = PrivateCA(), Redirect(folder)
    ca.write(folder / "ca.pem")
    with Microsoft365Servers(model, ca.issue(NAMES).server_context(folder)) as servers:
        for host, port, lab_port in servers.redirections():
            table.set(host, port, lab_port)
        yield table


def credentials(folder: Path) -> list[dict[str, str]]:
    """The client certificate: the files by the fields of GraphAccess."""
    return [{"certificate": str(folder / "tls.crt"), "private_key": str(folder / "tls.key")}]


def ask(folder: Path, redirect: Redirect, cloud: Cloud, **changes: Any) -> Any:
    task = {
        "ca": str(folder / "ca.pem"),
        "cloud": cloud.name,
        "tenant": sample.FABRIKAM,
        "client": sample.CLIENT,
        "credentials": credentials(folder),
        "look": "servicePrincipals(appId='00000002-0000-0ff1-ce00-000000000000')"
        "?$select=id,keyCredentials",
        "metadata": f"https://{cloud.acs_host}/metadata/json/1/?realm=fabrikam.com",
        **changes,
    }
    operator = Path(__file__).parents[2] / "operator"
    base = {**os.environ, "PYTHONPATH": str(operator)}
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, json.dumps(task)],
        env={**base, **redirect.environment(base)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.name)
def test_all_three_identities_sign_in_and_the_adapters_look_and_change(
    folder: Path, model: Microsoft365, redirect: Redirect, cloud: Cloud
) -> None:
    audience = PRODUCT_CLOUDS[cloud.name].federated_audience
    model.tokens.issuers[ISSUER.url] = ISSUER.keys
    application = sample.principal(model, sample.CLIENT)
    application.federated = (ISSUER.credential(SUBJECT, audience),)
    (folder / "token").write_text(ISSUER.token(SUBJECT, audience, model.now()))
    (folder / "client-secret").write_text(sample.SECRET)
    others = [
        {"client_secret": str(folder / "client-secret")},
        {"federated_token": str(folder / "token")},
    ]
    said = ask(folder, redirect, cloud, credentials=[*credentials(folder), *others])
    assert said == [[sample.FABRIKAM] * 3, 1, sample.FABRIKAM]
    assert sample.principal(model).keys == ()
    hosts = {line.split(" ")[1].split("/")[2] for line in model.requests()}
    assert hosts == {cloud.login[0], cloud.graph, cloud.acs_host}


def test_a_lost_answer_is_an_unknown_outcome(
    folder: Path, model: Microsoft365, redirect: Redirect
) -> None:
    model.set_fault("reset_after_patch", 1)
    assert "the change may have been made" in ask(folder, redirect, CLOUDS[0])
    assert sample.principal(model).keys == ()


def test_a_name_of_the_internet_is_not_reached(folder: Path, redirect: Redirect) -> None:
    said = ask(folder, redirect, CLOUDS[0], metadata="https://example.org/metadata/json/1")
    assert said == "example.org: the name cannot be resolved; check the DNS of the cluster"


def test_another_ca_is_not_trusted(folder: Path, redirect: Redirect) -> None:
    other = PrivateCA("another CA").write(folder / "other.pem")
    assert "its TLS certificate is not trusted" in ask(folder, redirect, CLOUDS[0], ca=str(other))
