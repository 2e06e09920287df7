"""What Microsoft's article has an administrator type, and what it shows.

"Configuring push notifications proxying for OWA for Devices" was published in five languages
(``lab.exchange.texts.CULTURES``). Commands and values are the same in all of them.
"""

from __future__ import annotations

from datetime import datetime

from lab.exchange.organization import Organization
from lab.exchange.runner import administrator
from lab.microsoft365.directory import KeyCredential
from lab.microsoft365.sample import principal
from lab.microsoft365.world import Microsoft365

TENANT_DOMAIN = "Fabrikam.com"
FRIENDLY_NAME = "Exchange S2S OAuth"
AUTH_SERVER = "MicrosoftSts"
METADATA_URL = f"https://accounts.accesscontrol.windows.net/metadata/json/1/?realm={TENANT_DOMAIN}"
# Of its sample output, which is from a server of en-US.
URI = "https://outlook.office365.com/PushNotifications"
CHANGED = datetime(2013, 8, 27, 19, 23, 47)  # noqa: DTZ001 - the article names no time zone
CHANGED_SHOWN = "8/27/2013 7:23:47 PM"


def follow(organization: Organization, microsoft365: Microsoft365) -> None:
    """Type all of it on the first server, and answer its questions with yes."""
    admin = administrator(organization)
    (made,) = admin.run(
        "New-ExchangeCertificate",
        FriendlyName=FRIENDLY_NAME,
        DomainName=("corp.fabrikam.com",),
        Services="Federation",
        KeySize=2048,
        PrivateKeyExportable=True,
    )
    admin.run("Set-AuthConfig", CertificateThumbprint=made["Thumbprint"], Force=True)
    admin.run("New-AuthServer", Name=AUTH_SERVER, AuthMetadataUrl=METADATA_URL)
    holder = principal(microsoft365)
    held = admin.server.store[made["Thumbprint"]]
    holder.keys = (*holder.keys, KeyCredential.of(held.x509))
    admin.run("Enable-PushNotificationProxy", Organization=TENANT_DOMAIN)
    admin.run("Restart-Service", Name="MSExchangeHM")
