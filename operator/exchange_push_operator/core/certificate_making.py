"""Making an Auth certificate without taking anybody's transport role (safety rule 4)."""

from __future__ import annotations

from exchange_push_operator.core import auth_certificate, friendly_name
from exchange_push_operator.core.plan import Plan, fails, unknown
from exchange_push_operator.core.reasons import Reason


def make(
    server: str,
    transport: str | None,
    organization_id: str,
    message: str,
    after: str = "",
    number: int = 1,
) -> Plan:
    """Make one on this server. ``after``: the certificate that it is to follow, if it does.

    ``number``: the how-manieth that is made to follow it.

    None is made where the transport certificate cannot be seen: it could not be given back.
    """
    if transport is None:
        return Plan(
            unknown(
                Reason.NOT_OBSERVED,
                f"the transport certificate of {server} cannot be seen, so no certificate is made; "
                "let the account read the server's object in Active Directory",
            )
        )
    name = friendly_name.friendly_name(organization_id, transport, after, number)
    reason = Reason.ROLL_OVER_DUE if after else Reason.NOT_FOUND
    return Plan(fails(reason, message), (auth_certificate.create(server, name),))
