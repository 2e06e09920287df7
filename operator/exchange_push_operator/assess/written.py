"""The resource as a file that a person reads before applying it. Pure."""

from __future__ import annotations

import yaml

from exchange_push_operator.assess.evidence import Evidence
from exchange_push_operator.core.config import Target
from exchange_push_operator.workstation.forms import one_line


def as_yaml(evidence: Evidence, version: str) -> str:
    """YAML with what has to be done before it is applied, and what its first plan holds."""
    body = yaml.safe_dump(dict(evidence.resource), sort_keys=False, width=100)
    lines = [*_head(evidence, version), "", *_secrets(evidence), "", *_plan(evidence)]
    return "\n".join(f"# {line}".rstrip() for line in lines) + "\n" + body


def _head(evidence: Evidence, version: str) -> list[str]:
    return [
        f"The organization of {evidence.server} as exchange-push-operator {version} found it on",
        f"{evidence.now:%Y-%m-%d}. managementPolicy Observe changes nothing and shows the plan in",
        "status.plannedChanges; set it to Manage once the plan is what you want.",
    ]


def _secrets(evidence: Evidence) -> list[str]:
    config = evidence.config
    lines = [f"Needs: Secret {config.connection.credentials_secret} (username, password);"]
    credentials = config.tenant.credentials
    if credentials and credentials.client_secret:
        secret = credentials.client_secret
        lines.append(f"Secret {secret.name} ({secret.key});")
    elif credentials:
        lines.append(f"Secret {credentials.certificate_secret} (tls.crt, tls.key);")
    if config.connection.ca_secret:
        lines.append(f"Secret {config.connection.ca_secret.name} (ca.crt);")
    lines.append("an installer's policy that allows these servers, this tenant and principal.")
    if config.target is Target.NONE:
        lines += [
            "principal.target None: the keys in Entra ID were not seen, so none are declared. With",
            "spec.tenant.credentials name FirstPartyServicePrincipal or DedicatedApplication.",
        ]
    return lines


def _plan(evidence: Evidence) -> list[str]:
    if not evidence.steps:
        return ["First plan: empty."]
    # A name with a line end must not leave its comment.
    steps = (one_line(f"{one.action} ({one.target})") for one in evidence.steps)
    return ["First plan:", *(f"  {step}" for step in steps)]
