"""Settings from flags and the environment: what they mean, and one clear line for what is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest

from exchange_push_operator.command_line import parse
from exchange_push_operator.settings import PREFIX, Settings, read

PROXY = "https://proxy.corp.fabrikam.com:3129"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text("namespaces: {}\n", encoding="utf-8")
    return path


def run(policy: Path, *flags: str, **environment: str) -> Settings:
    variables = {f"{PREFIX}{name}": value for name, value in environment.items()}
    return read(parse(["run", f"--policy={policy}", *flags]), variables)


def test_a_policy_is_enough(policy: Path) -> None:
    assert run(policy) == Settings(
        policy=policy,
        ca_file=None,
        entra_proxy=None,
        entra_proxy_credentials=None,
        read_only=False,
        allow_safety_acts_outside_windows=True,
        watch_secrets=False,
        max_interval=None,
        unreachable_grace_period=timedelta(minutes=5),
        workers=16,
        namespaces=(),
        kubeconfig=None,
        leader_elect=True,
        lease_name="exchange-push-operator",
        lease_namespace=None,
        health_address=("", 8080),
        log_format="text",
        log_level="info",
    )


def test_every_flag_counts(policy: Path) -> None:
    settings = run(
        policy,
        f"--ca-file={policy}",
        f"--entra-proxy={PROXY}/",
        f"--entra-proxy-credentials={policy.parent}",
        "--read-only",
        "--watch-secrets",
        "--max-interval=1h30m",
        "--unreachable-grace-period=90s",
        "--workers=3",
        "--namespace=exchange",
        "--namespace=mail",
        "--namespace=exchange",
        f"--kubeconfig={policy}",
        "--no-leader-elect",
        "--lease-name=the-other.one",
        "--lease-namespace=operators",
        "--health-address=[::1]:9090",
        "--log-format=json",
        "--log-level=debug",
    )
    assert settings == Settings(
        policy=policy,
        ca_file=policy,
        entra_proxy=PROXY,
        entra_proxy_credentials=policy.parent,
        read_only=True,
        allow_safety_acts_outside_windows=True,
        watch_secrets=True,
        max_interval=timedelta(minutes=90),
        unreachable_grace_period=timedelta(seconds=90),
        workers=3,
        namespaces=("exchange", "mail"),
        kubeconfig=policy,
        leader_elect=False,
        lease_name="the-other.one",
        lease_namespace="operators",
        health_address=("::1", 9090),
        log_format="json",
        log_level="debug",
    )


def test_every_variable_counts(policy: Path) -> None:
    environment = {
        "POLICY": str(policy),
        "CA_FILE": str(policy),
        "ENTRA_PROXY": PROXY,
        "ENTRA_PROXY_CREDENTIALS": str(policy.parent),
        "READ_ONLY": "true",
        "WATCH_SECRETS": "yes",
        "MAX_INTERVAL": "5m",
        "UNREACHABLE_GRACE_PERIOD": "1m",
        "WORKERS": "8",
        "NAMESPACE": "exchange, mail",
        "KUBECONFIG": str(policy),
        "LEADER_ELECT": "false",
        "LEASE_NAME": "the-other.one",
        "LEASE_NAMESPACE": "operators",
        "HEALTH_ADDRESS": "[::1]:9090",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "warning",
    }
    settings = read(
        parse(["run"]), {f"{PREFIX}{name}": value for name, value in environment.items()}
    )
    assert settings == Settings(
        policy=policy,
        ca_file=policy,
        entra_proxy=PROXY,
        entra_proxy_credentials=policy.parent,
        read_only=True,
        allow_safety_acts_outside_windows=True,
        watch_secrets=True,
        max_interval=timedelta(minutes=5),
        unreachable_grace_period=timedelta(minutes=1),
        workers=8,
        namespaces=("exchange", "mail"),
        kubeconfig=policy,
        leader_elect=False,
        lease_name="the-other.one",
        lease_namespace="operators",
        health_address=("::1", 9090),
        log_format="json",
        log_level="warning",
    )


def test_a_flag_goes_before_its_variable(policy: Path) -> None:
    assert run(policy, "--workers=3", WORKERS="8").workers == 3


def test_an_empty_variable_is_no_setting(policy: Path) -> None:
    assert run(policy, MAX_INTERVAL="", NAMESPACE="").max_interval is None


def test_read_only_can_be_switched_off_by_its_variable(policy: Path) -> None:
    assert run(policy, READ_ONLY="false").read_only is False


def test_the_election_can_be_switched_on_against_its_variable(policy: Path) -> None:
    assert run(policy, "--leader-elect", LEADER_ELECT="false").leader_elect is True


def test_what_kubernetes_sets_for_a_service_of_our_name_is_no_setting(policy: Path) -> None:
    service = {"SERVICE_HOST": "10.0.0.1", "PORT": "tcp://10.0.0.1:80", "PORT_80_TCP": "x"}
    assert run(policy, **service) == run(policy)


@pytest.mark.parametrize(
    ("flags", "environment", "message"),
    [
        (["--workers=many"], {}, "--workers: 'many' is not a whole number from 1 to 256"),
        (["--workers=0"], {}, "--workers: '0' is not a whole number from 1 to 256"),
        ([], {"WORKERS": "-1"}, f"{PREFIX}WORKERS: '-1' is not a whole number"),
        (["--max-interval=1d"], {}, "--max-interval: '1d' is not a duration; write it like 90s"),
        (["--max-interval=0s"], {}, "--max-interval: '0s' must be more than zero"),
        ([], {"READ_ONLY": "maybe"}, f"{PREFIX}READ_ONLY: 'maybe' is neither true nor false"),
        (["--ca-file=/nowhere.pem"], {}, "--ca-file: there is no file /nowhere.pem"),
        (["--policy=/nowhere.yaml"], {}, "--policy: there is no file /nowhere.yaml"),
        (["--kubeconfig=/nowhere"], {}, "--kubeconfig: there is no file /nowhere"),
        (["--namespace=team-*"], {}, "--namespace: 'team-*' is not the name of a namespace"),
        (["--log-format=xml"], {}, "--log-format: 'xml' is none of text, json"),
        (["--log-level=loud"], {}, "--log-level: 'loud' is none of debug, info"),
        (["--entra-proxy=proxy:3128"], {}, "'proxy:3128' is not like http://proxy.corp"),
        (["--entra-proxy=http://proxy"], {}, "--entra-proxy: 'http://proxy' names no port"),
        (["--entra-proxy=socks5://proxy:1080"], {}, "'socks5://proxy:1080' is not like http"),
        (["--entra-proxy=http://proxy:1/pac"], {}, "'http://proxy:1/pac' is not like http"),
        (["--entra-proxy-credentials=/nowhere"], {}, "there is no folder /nowhere"),
        (["--entra-proxy-credentials=/"], {}, "needs an --entra-proxy of https"),
        (
            ["--entra-proxy=http://proxy:1", "--entra-proxy-credentials=/"],
            {},
            "needs an --entra-proxy of https: http shows passwords",
        ),
        (["--lease-name=The One"], {}, "--lease-name: 'The One' is not a name as Kubernetes"),
        (["--health-address=8080"], {}, "--health-address: '8080' is not like :8080"),
        (["--health-address=:70000"], {}, "--health-address: ':70000' is not like :8080"),
        (["--health-address=host:80"], {}, "--health-address: 'host' does not appear to be an IP"),
        (["--read-only=true"], {}, "--read-only takes no value: write --read-only alone"),
        (["--max-intervall=5m"], {}, "--max-intervall: there is no such flag"),
        (["--work=3"], {}, "--work: there is no such flag"),
        ([], {"READONLY": "true"}, f"{PREFIX}READONLY: there is no such setting"),
    ],
)
def test_what_cannot_be_understood_ends_with_one_line_and_status_2(
    policy: Path,
    flags: list[str],
    environment: dict[str, str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        run(policy, *flags, **environment)
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("exchange-push-operator")
    assert message in line


def test_a_password_in_the_proxys_address_is_refused_and_not_repeated(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(policy, "--entra-proxy=https://svc:canary@proxy:3129")
    said = capsys.readouterr().err
    assert "--entra-proxy-credentials is for that" in said
    assert "canary" not in said


def test_a_policy_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read(parse(["run"]), {})
    assert end.value.code == 2
    assert "--policy FILE is needed" in capsys.readouterr().err


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(["run", "--help"])
    assert end.value.code == 0
    text = " ".join(capsys.readouterr().out.split())  # a long flag has a line of its own
    for field in Settings.__dataclass_fields__:
        flag = field.removesuffix("s") if field == "namespaces" else field
        assert f"--{flag.replace('_', '-')} " in text


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == "exchange-push-operator 0.1.0\n"
