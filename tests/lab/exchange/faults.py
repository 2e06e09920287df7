"""Faults and switches by name, with JSON values: ``set_fault(organization, name, value, server)``.

Of one server, or of all where no server is named:

=========================  ======  ================================================================
name                       value   what it does
=========================  ======  ================================================================
down                       bool    connections are accepted and closed; RPC to it fails
refused                    bool    nothing listens on its WinRM ports
unresolvable               bool    its name does not resolve
tls                        text    what its HTTPS listeners show: ``trusted`` (default), or a
                                   certificate of ``other_ca``, for ``other_name``, ``expired``
latency                    number  seconds before each answer over WinRM
process_start              number  seconds that a PowerShell takes to start
session_start              number  seconds that an Exchange session takes to open
cmdlet_time                number  seconds that each cmdlet takes
lost_answers               int     so many times a request is run and then the connection dropped
unauthorized               bool    401 whatever the password
http_500                   int     so many answers are an empty HTTP 500
http_503                   int     so many answers are an empty HTTP 503
http_400                   int     so many answers are an empty HTTP 400 (stale encryption)
send_fault                 int     so many Sends answer fault 170 and are not delivered
send_fault_delivered       int     so many Sends answer fault 170 although they are delivered
receive_timeout            int     so many Receives answer the operation timeout at once
torn_answers               int     so many answers end inside a UTF-8 sequence, and the connection
                                   drops with the rest
create_timeout             int     so many Creates answer the operation timeout at once
create_hangs               int     so many Creates are not answered until the client gives up
lose_shells                int     so many times all shells are gone at the next request
die_before_change          int     so many times the process dies before it runs a change
die_after_change           int     so many times the process dies after a change, before it answers
die_after_answer           int     so many times the process dies right after it answered a change
stuck_cmdlet               text    this cmdlet does not end: deadline, and the process ends with 98
failing_cmdlet             text    this cmdlet ends with an error, as while the services start
hidden                     bool    Get-ExchangeServer does not show it
quota                      bool    Create answers the fault of a quota
quota_code                 int     ... which one: 2150859173 (default), the shells of the user
second_hop_refused         bool    the session to the server's own Exchange endpoint: access denied
iis_down                   bool    the session to the server's own Exchange endpoint: no answer
setup_running              bool    Exchange Setup is running
maintenance                bool    all components are Inactive
push_component_inactive    bool    the component PushNotificationsProxy is Inactive
clock_skew                 number  seconds the server's clock is ahead
probe_missing              bool    the monitoring probe does not exist
health_manager_stopped     bool    MSExchangeHM is stopped (Restart-Service starts it)
health_manager_broken      bool    Restart-Service fails and leaves it stopped
rpc_down                   bool    other servers cannot ask it for certificates; WinRM works
transport_unreadable       bool    the AD object with the transport thumbprint cannot be read
directory_unreadable       bool    the AD object of the push-notification proxy cannot be read
outbound_blocked           bool    the server cannot reach Microsoft 365
host_script                text    the host script as a file there: ``missing`` (default),
                                   ``installed``, ``other`` (another version), ``unsigned``
culture                    text    language of messages and dates: en-US, de-DE, fr-FR, pt-BR, zh-CN
version                    text    build, such as 15.0.712.24
=========================  ======  ================================================================

What is only WinRM's own (``latency``, ``*_start``, ``cmdlet_time``, ``http_*``, ``send_fault*``,
``receive_timeout``, ``torn_answers``, ``create_*``, ``lose_shells``, ``tls``) has no effect in
process. ``quota``, ``unauthorized`` and ``tls`` meet who signs in or opens a shell anew.

Of the organisation:

=========================  ======  ================================================================
denied_cmdlets             list    cmdlets that RBAC does not grant
controllers_down           list    domain controllers that do not answer: each server uses its own
                                   (``dc-ex1.corp.fabrikam.com``) unless -DomainController names one
replication_lag_seconds    number  a change reaches the other servers after so many seconds
replication_lag_looks      int     a change is hidden from another server's next so many requests
proxy_look                 text    answer to -WhatIf: the stored ``object`` (default), a new one of
                                   what was ``asked``, the stored one ``edited``, or ``nothing``
creation_takes_transport   bool    New-ExchangeCertificate takes the transport role in any case
distributes_key            bool    Set-AuthConfig hands the private key to the other servers
distribution_seconds       number  ... after so many seconds
stale_probe                text    an old health manager ``fails`` (default) the probe, has it
                                   ``unlisted``, or ``passes`` it
probe_warmup               number  seconds after a restart in which the probe is not there
old_signature_seconds      number  seconds for which a server signs with the Auth certificate that
                                   was replaced, unless MSExchangeServiceHost and the OWA and ECP
                                   pools were restarted since; 0 (default): never; 3600 is life
auth_admin_stopped         bool    Exchange does not publish the next Auth certificate by itself
=========================  ======  ================================================================
"""

from __future__ import annotations

from typing import Any

from lab.exchange.organization import Organization
from lab.exchange.server import Server
from lab.network.ca import SHOWN

CHOICES = {"tls": SHOWN}


class UnknownFaultError(ValueError):
    """There is no such switch, or its value is of another type."""


def set_fault(organization: Organization, name: str, value: Any, server: str = "") -> None:
    """Throw a switch. Raises: UnknownFaultError, KeyError (no such server)."""
    with organization.lock:
        if hasattr(organization.switches, name):
            return _set(organization.switches, name, value)
        if name in ("replication_lag_seconds", "replication_lag_looks"):
            return _set(organization.directory, name.removeprefix("replication_"), value)
        named = [organization.server(server)] if server else [*organization.servers.values()]
        for one in named:
            _set(_holder(one, name), name, value)
    for one in named:  # without the lock: who follows may wait for a request that wants it
        one.tell_followers()
    return None


def _holder(server: Server, name: str) -> Any:
    if name in ("culture", "version"):
        return server
    if not hasattr(server.faults, name):
        raise UnknownFaultError(name)
    return server.faults


def _set(holder: Any, name: str, value: Any) -> None:
    old = getattr(holder, name)
    wanted = (int, float) if isinstance(old, float) else type(old)
    value = tuple(value) if isinstance(value, list) else value
    if not isinstance(value, wanted) or isinstance(value, bool) != isinstance(old, bool):
        raise UnknownFaultError(name, value)
    if value not in CHOICES.get(name, (value,)):
        raise UnknownFaultError(name, value)
    setattr(holder, name, float(value) if isinstance(old, float) else value)
