"""The clouds, as data: what is documented is there, what is not is None."""

from __future__ import annotations

import pytest

from exchange_push_operator.core.clouds import CLOUDS

AUDIENCES = {
    "Global": "api://AzureADTokenExchange",
    "USGovernmentL4": "api://AzureADTokenExchangeUSGov",
    "USGovernmentL5": "api://AzureADTokenExchangeUSGov",
    "China": "api://AzureADTokenExchangeChina",
    "Bleu": "api://AzureADTokenExchangeFrance",
    "Delos": "api://AzureADTokenExchangeGermany",
}


def test_every_cloud_has_the_audience_that_msal_for_net_knows() -> None:
    assert {name: cloud.federated_audience for name, cloud in CLOUDS.items()} == AUDIENCES


@pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)
def test_credentials_and_tokens_go_to_https_only(cloud: object) -> None:
    for address in ("authority", "graph"):
        assert getattr(cloud, address).startswith("https://")


def test_no_two_clouds_share_graph() -> None:
    assert len({cloud.graph for cloud in CLOUDS.values()}) == len(CLOUDS)


def test_only_the_push_address_of_the_global_cloud_is_documented() -> None:
    assert [name for name, cloud in CLOUDS.items() if cloud.push_uri] == ["Global"]


def test_metadata_of_the_clouds_of_china_france_and_germany_is_not_documented() -> None:
    known = [name for name, cloud in CLOUDS.items() if cloud.metadata_url]
    assert known == ["Global", "USGovernmentL4", "USGovernmentL5"]
