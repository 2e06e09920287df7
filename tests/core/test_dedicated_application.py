"""The dedicated Exchange hybrid application: does Exchange sign in as it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from answers import (
    CONTOSO,
    DEDICATED,
    EX1,
    EX2,
    EX3,
    Said,
    config,
    days,
    evo_sts,
    local,
    missing,
    override,
    seen,
    server,
)
from exchange_push_operator.core import dedicated_application
from exchange_push_operator.core.builds import builds
from exchange_push_operator.core.commands import Cmdlet
from exchange_push_operator.core.dedicated_application import DedicatedApplication
from exchange_push_operator.core.errors import CmdletFailed, Refused
from exchange_push_operator.core.organization import (
    AUTH_SERVERS,
    EXCHANGE_SERVERS,
    LOCAL_SERVER,
    SETTING_OVERRIDES,
)


def read(
    organization: Mapping[Cmdlet, Said] | None = None, version: str = "15.2.2562.17", **given: Any
) -> DedicatedApplication:
    asked = config()
    servers = {name: {LOCAL_SERVER: [local(name, Version=version)]} for name in asked.servers}
    observed = seen(asked, organization=organization, servers=servers, **given)
    return dedicated_application.read(observed, builds(asked, observed))


@pytest.mark.parametrize(
    ("version", "able"),
    [
        ("15.0.1497.48", False),
        ("15.1.2507.54", False),
        ("15.1.2507.55", True),
        ("15.1.2507.61", True),
        ("15.1.2375.99", False),
        ("15.1.2600.1", True),
        ("15.2.1258.34", False),
        ("15.2.1544.24", False),
        ("15.2.1544.25", True),
        ("15.2.1544.36", True),
        ("15.2.1748.23", False),
        ("15.2.1748.24", True),
        ("15.2.1700.1", False),
        ("15.2.2562.16", False),
        ("15.2.2562.17", True),
        ("15.2.2562.41", True),
        ("15.2.3000.1", True),
        ("15.3.1.1", False),
    ],
)
def test_the_builds_that_can_sign_in_as_one(version: str, able: bool) -> None:  # noqa: FBT001 - a table
    assert read(version=version).too_old == (() if able else (EX1, EX2))


@pytest.mark.parametrize(
    ("display", "too_old", "unseen"),
    [
        ("Version 15.1 (Build 2507.6)", (), (EX3,)),
        ("Version 15.2 (Build 1544.4)", (), (EX3,)),
        ("Version 15.2 (Build 1748.24)", (), ()),
        ("Version 15.2 (Build 2562.17)", (), ()),
        ("Version 15.2 (Build 1258.12)", (EX3,), ()),
        ("Version 15.0 (Build 1497.2)", (EX3,), ()),
    ],
    ids=["2016 CU23", "2019 CU14", "2019 CU15 with its update", "SE", "2019 CU13", "2013"],
)
def test_what_active_directory_does_not_tell_of_an_unlisted_server_is_not_guessed(
    display: str, too_old: tuple[str, ...], unseen: tuple[str, ...]
) -> None:
    rows = [server(EX1), server(EX2), server(EX3, AdminDisplayVersion=display)]
    found = read({EXCHANGE_SERVERS: rows})
    assert (found.too_old, found.unseen) == (too_old, unseen)


@pytest.mark.parametrize(
    ("rows", "name", "application"),
    [
        ([], None, ""),
        ([evo_sts(DEDICATED)], "EvoSts - 1", DEDICATED),
        ([evo_sts(ApplicationIdentifier=None)], "EvoSts - 1", ""),
        ([evo_sts(DEDICATED, Enabled=False)], None, ""),
        ([evo_sts(DEDICATED, Type="MicrosoftACS")], None, ""),
        ([evo_sts(DEDICATED, Realm=CONTOSO)], None, ""),
        ([evo_sts(Name="EvoSts"), evo_sts(DEDICATED)], "EvoSts - 1", DEDICATED),
        ([evo_sts(DEDICATED), evo_sts(Name="EvoSts")], "EvoSts - 1", DEDICATED),
    ],
    ids=[
        "none",
        "with an application",
        "without one",
        "disabled",
        "of another type",
        "of another tenant",
        "a second one does not hide it",
        "whatever their order",
    ],
)
def test_evo_sts(rows: list[dict[str, Any]], name: str | None, application: str) -> None:
    found = read({AUTH_SERVERS: rows})
    assert (found.evo_sts, found.application_id) == (name, application)
    assert found.in_use is bool(application)


@pytest.mark.parametrize(
    ("rows", "in_use"),
    [
        ([], False),
        ([override()], True),
        ([override("Other=1", " Enabled = True ")], True),
        ([override("Enabled=false")], False),
        ([override(Parameters="Enabled=true")], True),
        ([override(Parameters=None)], False),
        ([override("enabledfor=true")], False),
        ([override(SectionName="Another")], False),
        ([override(Name="named otherwise")], True),
    ],
    ids=[
        "none",
        "set",
        "set among others, with spaces",
        "set to false",
        "one parameter as a text",
        "no parameters",
        "another parameter",
        "another section",
        "under another name",
    ],
)
def test_the_setting_override(rows: list[dict[str, Any]], in_use: bool) -> None:  # noqa: FBT001 - a table
    assert read({SETTING_OVERRIDES: rows}).in_use is in_use


NOT_THERE: Mapping[Cmdlet, Said] = {SETTING_OVERRIDES: missing("CommandNotFoundException")}


def test_exchange_2013_has_no_setting_overrides() -> None:
    assert not read(NOT_THERE, version="15.0.1497.48").override


def test_later_versions_have_them_so_the_account_must_be_granted_the_cmdlet() -> None:
    with pytest.raises(Refused, match="Get-SettingOverride is not granted"):
        read(NOT_THERE, version="15.1.2507.55")


def test_overrides_that_cannot_be_seen_are_not_absent() -> None:
    with pytest.raises(CmdletFailed):
        read({SETTING_OVERRIDES: missing()}, version="15.0.1497.48")


@pytest.mark.parametrize(
    ("application", "expected"),
    [
        (DedicatedApplication("E", DEDICATED, override=True, too_old=()), ""),
        (DedicatedApplication("E", DEDICATED.upper(), override=True, too_old=()), ""),
        (DedicatedApplication("E", DEDICATED, override=True, too_old=(EX1,)), EX1),
        (DedicatedApplication(None, "", override=True, too_old=()), "Hybrid Configuration Wizard"),
        (DedicatedApplication("E", "", override=True, too_old=()), "-Identity 'E'"),
        (DedicatedApplication("E", CONTOSO, override=True, too_old=()), "-Identity 'E'"),
        (DedicatedApplication("E", DEDICATED, override=False, too_old=()), "New-SettingOverride"),
    ],
    ids=[
        "nothing",
        "nothing, whatever case",
        "builds",
        "EvoSts",
        "its id",
        "another id",
        "override",
    ],
)
def test_what_is_missing_is_told_with_its_cure(
    application: DedicatedApplication, expected: str
) -> None:
    found = application.missing(DEDICATED)
    assert bool(found) is bool(expected)
    assert expected in found


def test_all_that_is_missing_is_told_at_once() -> None:
    found = DedicatedApplication("E", "", override=False, too_old=(EX1,)).missing(DEDICATED)
    assert [part.split()[0] for part in found.split("; ")] == [f"{EX1}:", "auth", "the"]


def test_a_server_that_is_away_is_known_by_what_it_said_when_it_was_last_seen() -> None:
    row = {"name": EX2, "version": "15.1.2507.55", "awaySince": days(-0.1)}
    asked = config(status={"servers": [row]})
    rows = [server(EX1), server(EX2, AdminDisplayVersion="Version 15.1 (Build 2507.6)")]
    observed = seen(asked, organization={EXCHANGE_SERVERS: rows}, away=[EX2])
    found = dedicated_application.read(observed, builds(asked, observed))
    assert (found.too_old, found.unseen) == ((), ())


@pytest.mark.parametrize("remembered", [None, "15.1.2375.7", "odd"])
def test_what_is_not_known_of_a_server_that_is_away_is_not_guessed(remembered: str | None) -> None:
    asked = config(status={"servers": [{"name": EX2, "version": remembered}]})
    rows = [server(EX1), server(EX2, AdminDisplayVersion="Version 15.1 (Build 2507.6)")]
    observed = seen(asked, organization={EXCHANGE_SERVERS: rows}, away=[EX2])
    found = dedicated_application.read(observed, builds(asked, observed))
    assert (found.too_old, found.unseen) == ((), (EX2,))
