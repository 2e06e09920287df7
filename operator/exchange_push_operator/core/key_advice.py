"""What an administrator should know of the keys in Entra ID although nothing is broken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from exchange_push_operator.core.config import PushConfig, Target
from exchange_push_operator.core.held_keys import HeldKeys
from exchange_push_operator.core.key_credentials import KeyCredential
from exchange_push_operator.core.key_renewal import ends_early
from exchange_push_operator.core.plan import Advisory

_DEPRECATED = Advisory(
    "SharedPrincipalDeprecated",
    "Microsoft deprecates keys on the shared first-party principal (CVE-2025-53786); "
    "EWS through it is blocked since 31 October 2025",
)
_NOT_SEEN = Advisory(
    "SharedPrincipalNotSeen",
    "whether a key of this organization is still on the shared first-party principal cannot be "
    "seen; grant the application permission Application.Read.All to have it looked at",
)
_WHEN_SWITCHED = "once Ready is True"
_NOT_YET = (
    "not yet: Exchange is not seen to sign in as the dedicated application and may sign for this "
    "principal; once it is switched over (PrerequisitesMet) and Ready is True"
)


def advisories(config: PushConfig, held: HeldKeys, now: datetime) -> tuple[Advisory, ...]:
    """The advisories, in the order of their importance."""
    return (*_shared(config, held), *_others(held), *_next(held), *_ends(held, now))


def _shared(config: PushConfig, held: HeldKeys) -> Iterator[Advisory]:
    if config.target is Target.FIRST_PARTY:
        yield _DEPRECATED
    if held.shared is None:
        yield _NOT_SEEN
    left = _names(entry for entry in held.shared or () if held.of_the_organization(entry))
    if left:
        yield Advisory(
            "KeyOnSharedPrincipal",
            "keys of this organization are on the shared first-party principal too "
            f"(CVE-2025-53786): {left}; {_WHEN_SWITCHED if held.switched_over else _NOT_YET}, "
            "remove each with ConfigureExchangeHybridApplication.ps1 "
            "-ResetFirstPartyServicePrincipalKeyCredentials -CertificateInformation <thumbprint>",
        )


def _others(held: HeldKeys) -> Iterator[Advisory]:
    others = _names(held.foreign())
    if others:
        yield Advisory(
            "ForeignKeys",
            f"keys on the principal that belong to no certificate of AuthConfig: {others}",
        )


def _names(entries: Iterable[KeyCredential]) -> str:
    return ", ".join(sorted(entry.digest or entry.key_id for entry in entries)[:10])


def _next(held: HeldKeys) -> Iterator[Advisory]:
    coming = held.auth.next
    if coming and coming not in [certificate.thumbprint for certificate in held.wanted]:
        yield Advisory(
            "NextCertificateMissing",
            f"AuthConfig names {coming} as next, which no listed server has in its store; its "
            "key cannot be added before it becomes current",
        )


def _ends(held: HeldKeys, now: datetime) -> Iterator[Advisory]:
    current = held.current
    key = held.lasting(current, now) if current else None
    if current and key and ends_early(key, current):
        yield Advisory(
            "KeyEndsBeforeCertificate",
            "Entra ID stores the key of the current certificate with an earlier end than the "
            "certificate's; status.principalCredential.endDateTime has it",
        )
