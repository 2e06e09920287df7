"""Every reason a condition can carry: one closed set; docs/reasons.md has cause and cure."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """CamelCase facts, part of the API: they are added, never renamed."""

    # Ready, InSync, Reconciling
    SUCCEEDED = "Succeeded"
    OBSERVATION_SUCCEEDED = "ObservationSucceeded"
    PROGRESSING = "Progressing"
    PROGRESSING_WITH_RETRY = "ProgressingWithRetry"
    DELETING = "Deleting"
    SUSPENDED = "Suspended"
    UNREACHABLE = "Unreachable"
    THROTTLED = "Throttled"
    NO_DRIFT = "NoDrift"
    DRIFT_DETECTED = "DriftDetected"
    AWAITING_APPROVAL = "AwaitingApproval"
    OUTSIDE_WINDOW = "OutsideWindow"
    AWAITING_ADMINISTRATOR = "AwaitingAdministrator"
    CHANGE_REFUSED = "ChangeRefused"
    CHANGE_FAILED = "ChangeFailed"
    CONTENDED = "Contended"
    SETTLING = "Settling"

    # Stalled: a person must act
    INVALID_SPEC = "InvalidSpec"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason, no password
    SERVICE_ACCOUNT_NOT_FOUND = "ServiceAccountNotFound"
    SECRET_INVALID = "SecretInvalid"  # noqa: S105 - a reason, no password
    ACCESS_DENIED = "AccessDenied"
    SECOND_HOP_FAILED = "SecondHopFailed"
    HOST_SCRIPT_REFUSED = "HostScriptRefused"
    NOT_ALLOWED_BY_POLICY = "NotAllowedByPolicy"
    CONFLICTING_CONFIG = "ConflictingConfig"
    TENANT_MISMATCH = "TenantMismatch"
    DEDICATED_APPLICATION_IN_USE = "DedicatedApplicationInUse"
    PRINCIPAL_LOCKED = "PrincipalLocked"
    BLOCKED_BY_TENANT_POLICY = "BlockedByTenantPolicy"
    TOO_MANY_KEYS = "TooManyKeys"
    EXPIRED_FOREIGN_KEYS = "ExpiredForeignKeys"
    DELETION_TIMED_OUT = "DeletionTimedOut"

    # Stage conditions, True
    MET = "Met"
    VALID = "Valid"
    UP_TO_DATE = "UpToDate"
    PROBE_SUCCEEDED = "ProbeSucceeded"
    NOT_MANAGED = "NotManaged"
    ROLL_OVER_WAITS = "RollOverWaits"

    # Stage conditions, False: facts
    TENANT_NOT_FOUND = "TenantNotFound"
    SERVER_TOO_OLD = "ServerTooOld"
    NO_MAILBOX_SERVER = "NoMailboxServer"
    NOT_AN_EXCHANGE_SERVER = "NotAnExchangeServer"
    PARTNER_APPLICATION_MISSING = "PartnerApplicationMissing"
    PARTNER_APPLICATION_DISABLED = "PartnerApplicationDisabled"
    DEDICATED_APPLICATION_NOT_ENABLED = "DedicatedApplicationNotEnabled"
    PRINCIPAL_NOT_FOUND = "PrincipalNotFound"
    NOT_FOUND = "NotFound"
    DISABLED = "Disabled"
    EXPIRED = "Expired"
    NOT_YET_VALID = "NotYetValid"
    KEY_TOO_SMALL = "KeyTooSmall"
    PRIVATE_KEY_MISSING = "PrivateKeyMissing"
    SEVERAL_CERTIFICATES = "SeveralCertificates"
    TRANSPORT_CERTIFICATE_CHANGED = "TransportCertificateChanged"
    SERVICES_STALE = "ServicesStale"
    ROLL_OVER_DUE = "RollOverDue"
    RENEW_BEFORE_TOO_LONG = "RenewBeforeTooLong"
    OTHER_TENANT = "OtherTenant"
    OTHER_TYPE = "OtherType"
    OTHER_METADATA_URL = "OtherMetadataUrl"
    TRUSTS_ANY_CERTIFICATE = "TrustsAnyCertificate"
    METADATA_DOWNLOAD_FAILED = "MetadataDownloadFailed"
    KEY_MISSING = "KeyMissing"
    OTHER_ORGANIZATION = "OtherOrganization"
    STILL_ENABLED = "StillEnabled"
    PROBE_FAILED = "ProbeFailed"
    SIGNING_CERTIFICATE_MISSING = "SigningCertificateMissing"
    SIGNING_KEY_REFUSED = "SigningKeyRefused"
    TOKEN_REFUSED = "TokenRefused"  # noqa: S105 - a reason, no password
    USER_CONTEXT_REFUSED = "UserContextRefused"
    CLOCK_DIFFERS = "ClockDiffers"
    PUSH_UNAUTHORIZED = "PushUnauthorized"
    PUSH_FORBIDDEN = "PushForbidden"
    NO_CONNECTION = "NoConnection"
    COMPONENT_INACTIVE = "ComponentInactive"
    SERVICE_GONE = "ServiceGone"
    HEALTH_MANAGER_STALE = "HealthManagerStale"
    HEALTH_MANAGER_STOPPED = "HealthManagerStopped"

    # Stage conditions, Unknown
    IN_MAINTENANCE = "InMaintenance"
    WAITS_FOR_CERTIFICATE = "WaitsForCertificate"
    WAITS_FOR_KEY = "WaitsForKey"
    WAITS_FOR_CONFIGURATION = "WaitsForConfiguration"
    PROBE_NOT_AVAILABLE = "ProbeNotAvailable"
    NOT_OBSERVED = "NotObserved"


STALLED = frozenset(
    {
        Reason.INVALID_SPEC,
        Reason.SECRET_NOT_FOUND,
        Reason.SERVICE_ACCOUNT_NOT_FOUND,
        Reason.SECRET_INVALID,
        Reason.ACCESS_DENIED,
        Reason.SECOND_HOP_FAILED,
        Reason.HOST_SCRIPT_REFUSED,
        Reason.NOT_ALLOWED_BY_POLICY,
        Reason.CONFLICTING_CONFIG,
        Reason.TENANT_MISMATCH,
        Reason.DEDICATED_APPLICATION_IN_USE,
        Reason.PRINCIPAL_LOCKED,
        Reason.BLOCKED_BY_TENANT_POLICY,
        Reason.TOO_MANY_KEYS,
        Reason.EXPIRED_FOREIGN_KEYS,
        Reason.DELETION_TIMED_OUT,
    }
)
"""A person must act; no fast retry."""

NOTHING_MOVES = STALLED | {Reason.PRINCIPAL_NOT_FOUND}
"""Nothing is changed anywhere: half a trust is worth nothing."""

WAITS_FOR_LEAVE = frozenset({Reason.AWAITING_APPROVAL, Reason.OUTSIDE_WINDOW})
"""A change that is not tried before somebody approves it, or a window opens."""

LEAVE_READY_ALONE = frozenset({Reason.PROBE_NOT_AVAILABLE, Reason.SERVICE_GONE})
"""The service behind the probe may be gone for good."""

NOT_LOOKED_AT = frozenset({Reason.UNREACHABLE, Reason.THROTTLED, Reason.NOT_OBSERVED})
"""Unknown because looking itself did not work."""
