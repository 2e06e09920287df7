"""The chart, rendered by the real helm and judged by the real API server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.rendered import of_kind, pod, render, the
from chart.value_sets import EVERY_VALUE, OTHER, POLICY, RELEASE_NAMESPACE, SETS, WATCHED, Values
from exchange_push_operator.command_line import parse
from exchange_push_operator.core.policy import parse_policy
from exchange_push_operator.settings import read
from lab import chart
from lab.chart import CHART, NAME, Manifest, helm
from lab.control_plane import ControlPlane
from lab.resources import CRD, ROOT

pytestmark = pytest.mark.lab

MONITORING = ROOT / "tests" / "fixtures" / "monitoring-crds.yaml"


def projected(manifests: list[Manifest]) -> list[Values]:
    """What makes up the folder /etc/exchange-push-operator."""
    (sources,) = [
        one["projected"]["sources"] for one in pod(manifests)["volumes"] if "projected" in one
    ]
    return list(sources)


def arguments(**values: Any) -> list[str]:
    args: list[str] = pod(render(**values))["containers"][0]["args"]
    return args


def test_the_chart_carries_the_crd_as_it_is_and_helm_argo_cd_and_flux_keep_it() -> None:
    crd = the(render(), "CustomResourceDefinition")
    assert crd["metadata"].pop("annotations") == {
        "helm.sh/resource-policy": "keep",
        "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
    }
    assert crd == yaml.safe_load(CRD.read_text())
    assert (CHART / "crds-src" / CRD.name).read_text() == CRD.read_text()
    assert not of_kind(render(crds={"enabled": False}), "CustomResourceDefinition")
    let_go = the(render(crds={"keep": False}), "CustomResourceDefinition")
    assert let_go == crd


def test_by_default_nothing_is_allowed() -> None:
    text = the(render(), "ConfigMap")["data"]["policy.yaml"]
    assert yaml.safe_load(text) == {"namespaces": {}}
    assert parse_policy(yaml.safe_load(text)).namespaces == {}


def test_the_notes_shout_as_long_as_nothing_is_allowed() -> None:
    loud, quiet = (helm("install", values, "--dry-run=client") for values in ({}, EVERY_VALUE))
    assert "NOTHING IS ALLOWED YET" in loud.stdout
    assert "may read any Secret of the cluster" in loud.stdout
    assert "NOTHING IS ALLOWED" not in quiet.stdout
    assert "Read-only" in quiet.stdout
    assert f"It looks after: {WATCHED}." in quiet.stdout


def test_the_policy_reaches_the_operator_as_it_was_written() -> None:
    manifests = render(policy=POLICY)
    text = the(manifests, "ConfigMap")["data"]["policy.yaml"]
    assert yaml.safe_load(text) == POLICY
    assert parse_policy(yaml.safe_load(text)) == parse_policy(POLICY)
    name = the(manifests, "ConfigMap")["metadata"]["name"]
    assert {"configMap": {"name": name}} in projected(manifests)


def test_a_policy_may_be_a_config_map_of_somebody_else() -> None:
    manifests = render(policyFrom={"configMapName": "mail-policy", "key": "mail"})
    assert not of_kind(manifests, "ConfigMap")
    items = [{"key": "mail", "path": "policy.yaml"}]
    assert {"configMap": {"name": "mail-policy", "items": items}} in projected(manifests)
    notes = helm("install", {"policyFrom": {"configMapName": "a"}}, "--dry-run=client").stdout
    assert "policy.yaml of ConfigMap a" in notes
    assert "NOTHING IS ALLOWED" not in notes


def test_a_policy_that_is_edited_in_place_reaches_the_running_operator() -> None:
    mounts = pod(render())["containers"][0]["volumeMounts"]
    (config,) = [mount for mount in mounts if mount["name"] == "config"]
    assert config["mountPath"] == "/etc/exchange-push-operator"
    assert "subPath" not in config  # the kubelet never renews such a file


def test_a_changed_policy_starts_the_operator_anew() -> None:
    def annotations(policy: Values) -> Values:
        template = the(render(policy=policy), "Deployment")["spec"]["template"]
        found: Values = template["metadata"]["annotations"]
        return found

    assert annotations(POLICY) == annotations(POLICY)
    assert annotations(POLICY) != annotations({"namespaces": {}})


def test_the_deployment_has_labels_and_annotations_of_its_own() -> None:
    reload, team = {"reloader.stakater.com/auto": "true"}, {"team": "mail"}
    manifests = render(deploymentAnnotations=reload, deploymentLabels=team)
    deployment = the(manifests, "Deployment")
    assert deployment["metadata"]["annotations"] == reload
    assert deployment["metadata"]["labels"].items() >= team.items()
    of_pods = deployment["spec"]["template"]["metadata"]
    assert not (of_pods["annotations"].items() & reload.items())
    assert not (of_pods["labels"].items() & team.items())
    assert "annotations" not in the(render(), "Deployment")["metadata"]


def test_two_replicas_keep_apart_and_a_new_one_stands_by_before_an_old_one_goes() -> None:
    manifests = render()
    deployment = the(manifests, "Deployment")["spec"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    budget = the(manifests, "PodDisruptionBudget")["spec"]
    spread = pod(manifests)["topologySpreadConstraints"]
    assert [one["topologyKey"].rpartition("/")[2] for one in spread] == ["hostname", "zone"]
    labels = deployment["template"]["metadata"]["labels"]
    for selector in (budget["selector"], *(one["labelSelector"] for one in spread)):
        assert selector == deployment["selector"]
        assert selector["matchLabels"].items() <= labels.items()


def test_without_leader_election_there_are_never_two() -> None:
    manifests = render(replicas=1, leaderElection={"enabled": False})
    assert the(manifests, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert not of_kind(manifests, "PodDisruptionBudget")


def test_probes_ask_what_the_operator_answers() -> None:
    container = pod(render(metrics={"port": 9090}))["containers"][0]
    assert container["ports"] == [{"name": "http", "containerPort": 9090, "protocol": "TCP"}]
    asked = {name: container[name]["httpGet"] for name in container if name.endswith("Probe")}
    assert asked == {
        "startupProbe": {"path": "/livez", "port": "http"},
        "livenessProbe": {"path": "/livez", "port": "http"},
        "readinessProbe": {"path": "/readyz", "port": "http"},
    }


ELECTED = ("--leader-elect", f"--lease-name={NAME}", f"--lease-namespace={RELEASE_NAMESPACE}")


def test_settings_become_flags() -> None:
    assert arguments() == [
        "run",
        "--policy=/etc/exchange-push-operator/policy.yaml",
        *ELECTED,
        "--health-address=:8080",
        "--log-level=info",
        "--log-format=json",
    ]
    assert arguments(**EVERY_VALUE) == [
        "run",
        "--policy=/etc/exchange-push-operator/policy.yaml",
        f"--namespace={WATCHED}",
        "--ca-file=/etc/exchange-push-operator/ca.crt",
        "--entra-proxy=https://proxy.corp.fabrikam.com:3129",
        "--entra-proxy-credentials=/etc/exchange-push-operator/entra-proxy",
        "--read-only",
        "--max-interval=15m",
        *ELECTED,
        "--health-address=:8080",
        "--log-level=debug",
        "--log-format=text",
        "--unreachable-grace-period=10m",
    ]


ALONE: Values = {"replicas": 1, "leaderElection": {"enabled": False}, "secrets": {"watch": True}}


@pytest.mark.parametrize(
    "values", [{}, EVERY_VALUE, ALONE], ids=["defaults", "every value", "alone"]
)
def test_the_operator_understands_the_flags_of_the_chart(values: Values, tmp_path: Path) -> None:
    for name in ("policy.yaml", "ca.crt"):
        (tmp_path / name).touch()
    (tmp_path / "entra-proxy").mkdir()
    flags = [one.replace(f"/etc/{NAME}", str(tmp_path)) for one in arguments(**values)]
    settings = read(parse(flags), environment={})
    assert settings.policy == tmp_path / "policy.yaml"
    assert settings.read_only == values.get("readOnly", False)
    assert settings.namespaces == tuple(values.get("watchNamespaces", ()))
    assert settings.watch_secrets == ("secrets" in values)
    assert settings.leader_elect == ("leaderElection" not in values)


@pytest.mark.parametrize(
    ("bundle", "source"),
    [
        ({"secretName": "corp-ca"}, {"secret": {"name": "corp-ca"}}),
        ({"configMapName": "corp-ca"}, {"configMap": {"name": "corp-ca"}}),
    ],
)
def test_a_ca_bundle_comes_from_a_secret_or_a_config_map(bundle: Values, source: Values) -> None:
    sources = projected(render(caBundle={**bundle, "key": "bundle.pem"}))
    ((kind, of_source),) = source.items()
    file = {"key": "bundle.pem", "path": "ca.crt"}
    assert {kind: {**of_source, "items": [file]}} in sources


def test_the_proxys_credentials_are_two_files_of_a_secret() -> None:
    files = [{"key": key, "path": f"entra-proxy/{key}"} for key in ("username", "password")]
    secret = {"secret": {"name": "entra-proxy", "items": files}}
    assert secret in projected(render(**EVERY_VALUE))
    plain = render(entraProxy={"url": "http://proxy.corp.fabrikam.com:3128"})
    assert not any("secret" in source for source in projected(plain))


def test_a_krb5_conf_comes_from_a_config_map() -> None:
    proxy = {"name": "TZ", "value": "UTC"}
    objects = render(krb5Conf={"configMapName": "corp-krb5", "key": "corp"}, extraEnv=[proxy])
    file = {"key": "corp", "path": "krb5.conf"}
    assert {"configMap": {"name": "corp-krb5", "items": [file]}} in projected(objects)
    place = {"name": "KRB5_CONFIG", "value": "/etc/exchange-push-operator/krb5.conf"}
    assert pod(objects)["containers"][0]["env"] == [place, proxy]
    assert "env" not in pod(render())["containers"][0]


def test_an_image_is_named_by_version_tag_or_digest() -> None:
    def image(**of_image: str) -> str:
        name: str = pod(render(image=of_image))["containers"][0]["image"]
        return name

    digest = f"sha256:{'0' * 64}"
    assert image() == f"{NAME}:0.1.0"
    assert image(tag="dev") == f"{NAME}:dev"
    assert image(tag="dev", digest=digest) == f"{NAME}@{digest}"
    assert (
        image(registry="registry.fabrikam.com:5000") == f"registry.fabrikam.com:5000/{NAME}:0.1.0"
    )


def test_the_version_is_that_of_the_package() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert f'\nversion = "{chart["appVersion"]}"\n' in project
    (image,) = yaml.safe_load(chart["annotations"]["artifacthub.io/images"])
    assert image["image"] == f"{NAME}:{chart['appVersion']}"


def test_an_existing_service_account_is_used_by_name() -> None:
    manifests = render(serviceAccount={"create": False, "name": "mail-operator"})
    assert not of_kind(manifests, "ServiceAccount")
    assert pod(manifests)["serviceAccountName"] == "mail-operator"
    subjects = the(manifests, "ClusterRoleBinding")["subjects"]
    assert [subject["name"] for subject in subjects] == ["mail-operator"]


ENABLED: Values = {"enabled": True}


def test_a_long_name_leaves_room_for_what_is_behind_it() -> None:
    """A Service has a DNS label for a name, 63 characters; other objects may have more."""
    rendered = render(fullnameOverride="exchange-push-operator-of-the-production-cluster-eu-west")
    assert len(the(rendered, "Deployment")["metadata"]["name"]) == 56
    name = the(rendered, "Service")["metadata"]["name"]
    assert len(name) <= 63
    assert name.endswith("-metrics")


def test_a_namespace_may_look_like_a_number() -> None:
    rendered = render(watchNamespaces=["123", "null"])
    assert {one["metadata"]["namespace"] for one in of_kind(rendered, "Role")} == {
        "123",
        "null",
        RELEASE_NAMESPACE,
    }


def test_the_network_policy_lets_through_what_is_listed_and_nobody_else_in() -> None:
    scraper = {"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}
    rendered = render(networkPolicy={"enabled": True, "metricsFrom": [scraper]})
    policy = the(rendered, "NetworkPolicy")["spec"]
    assert policy["ingress"] == [
        {"ports": [{"port": "http", "protocol": "TCP"}], "from": [scraper]}
    ]
    out = [{(one["port"], one["protocol"]) for one in rule["ports"]} for rule in policy["egress"]]
    assert out == [
        {(53, "UDP"), (53, "TCP")},
        {(443, "TCP"), (6443, "TCP")},
        {(5985, "TCP"), (5986, "TCP")},
        {(88, "TCP"), (88, "UDP")},
        {(443, "TCP")},
    ]


@pytest.mark.parametrize(("adapt", "ports"), [("force", {53, 5353}), ("disabled", {53})])
def test_on_openshift_dns_listens_on_another_port(adapt: str, ports: set[int]) -> None:
    """A NetworkPolicy is applied to the addresses behind a Service."""
    rendered = render(networkPolicy=ENABLED, openshift={"adaptSecurityContext": adapt})
    dns = the(rendered, "NetworkPolicy")["spec"]["egress"][0]
    assert {(one["port"], one["protocol"]) for one in dns["ports"]} == {
        (port, protocol) for port in ports for protocol in ("TCP", "UDP")
    }


BOTH_MONITORS: Values = {"metrics": {"podMonitor": ENABLED, "serviceMonitor": ENABLED}}
MISSING_KIND: Values = {"prometheusRule": ENABLED, "renderMode": "failIfMissing"}


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"replicas": 2, "leaderElection": {"enabled": False}}, "/replicas"),
        ({"leaderElection": {"enabled": False}}, "/replicas"),
        ({"metrics": {"podMonitors": {}}}, "/metrics"),
        ({"prometheusRule": {"disabledAlerts": ["Throttled"]}}, "/disabledAlerts/0"),
        ({"prometheusRule": {"runbookUrl": "https://wiki.fabrikam.com/"}}, "/runbookUrl"),
        ({"networkPolicy": {"exchange": {"cidrs": ["ex1"]}}}, "/exchange/cidrs/0"),
        ({"replicaCount": 1}, "replicaCount"),
        ({"logLevel": "verbose"}, "/logLevel"),
        ({"maxInterval": "1d"}, "/maxInterval"),
        ({"watchNamespaces": "exchange"}, "/watchNamespaces"),
        ({"image": {"digest": "latest"}}, "/image/digest"),
        ({"policy": {"exchange": {}}}, "/policy"),
        ({"policy": {"namespaces": {"exchange": {"hosts": ["*"]}}}}, "/policy/namespaces/exchange"),
        ({"policy": {"namespaces": {"exchange": {"tenantIds": ["fabrikam"]}}}}, "/tenantIds/0"),
        ({"policy": {"namespaces": {"exchange": {"principals": ["Any"]}}}}, "/principals/0"),
        ({"policy": {"namespaces": {"exch*": {}}}}, "exch*"),
        ({"entraProxy": {"url": "http://svc:secret@proxy:3128"}}, "/entraProxy/url"),
        (
            {"entraProxy": {"url": "http://proxy:3128", "credentialsSecretName": "a"}},
            "/entraProxy",
        ),
        ({"hostAliases": [{"ip": "10.0.0.11"}]}, "/hostAliases/0"),
        ({"podLabels": {"app.kubernetes.io/name": "other"}}, "/podLabels"),
        ({"commonLabels": {"app.kubernetes.io/instance": "other"}}, "/commonLabels"),
        ({"podDisruptionBudget": {"maxUnavailable": "0%"}}, "/podDisruptionBudget/maxUnavailable"),
        ({"fullnameOverride": "Push_Operator"}, "/fullnameOverride"),
        ({"deploymentLabels": {"app.kubernetes.io/name": "other"}}, "/deploymentLabels"),
        ({"metrics": {"podMonitor": {"scrapeTimeout": "soon"}}}, "/podMonitor/scrapeTimeout"),
        ({"policyFrom": {"configMapName": "A"}}, "/policyFrom/configMapName"),
        ({"policy": POLICY, "policyFrom": {"configMapName": "a"}}, "exclude each other"),
        ({"caBundle": {"secretName": "a", "configMapName": "b"}}, "secretName or configMapName"),
        ({"serviceAccount": {"create": False}}, "serviceAccount.name is required"),
        ({"secrets": {"watch": True}, "rbac": {"secretNames": ["a"]}}, "exclude each other"),
        (BOTH_MONITORS, "exclude each other"),
        (MISSING_KIND, "install the Prometheus operator"),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_and_named(values: Values, place: str) -> None:
    done = helm("template", values)
    assert done.returncode != 0
    assert place in done.stderr


def test_on_openshift_user_and_group_are_left_to_the_cluster() -> None:
    known = chart.render({}, "--api-versions", "security.openshift.io/v1")
    for manifests in (known, render(openshift={"adaptSecurityContext": "force"})):
        assert set(pod(manifests)["securityContext"]) == {"runAsNonRoot", "seccompProfile"}


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """Warns of Pods that are not restricted, and knows the kinds of the Prometheus operator."""
    for namespace in (RELEASE_NAMESPACE, WATCHED, OTHER):
        control_plane.create_namespace(namespace)
    label = "pod-security.kubernetes.io/warn=restricted"
    control_plane.run_kubectl("label", "--overwrite", "namespace", RELEASE_NAMESPACE, label)
    control_plane.run_kubectl("apply", "--server-side", "-f", str(MONITORING))
    for document in yaml.safe_load_all(MONITORING.read_text("utf-8")):
        control_plane.wait_until_established(document["metadata"]["name"])
    yield control_plane
    for namespace in (WATCHED, OTHER):
        control_plane.run_kubectl("delete", "role,rolebinding", "--all", namespace=namespace)
    control_plane.run_kubectl("delete", "deployments", "--all", namespace=NAME)
    control_plane.run_kubectl("delete", "clusterrole", f"{NAME}-view")


@pytest.mark.parametrize("values", SETS.values(), ids=SETS.keys())
def test_the_api_server_takes_all_of_it_without_a_warning(
    cluster: ControlPlane, values: Values
) -> None:
    rendered = [one for one in render(**values) if one["kind"] != "CustomResourceDefinition"]
    answer = cluster.run_kubectl(
        *("create", "--dry-run=server", "--validate=strict", "-f", "-"),
        input=yaml.safe_dump_all(rendered),
    )
    assert answer.stderr == ""
    assert answer.stdout.count("created (server dry run)") == len(rendered)


def test_the_manifests_for_people_without_helm_are_a_whole_install(cluster: ControlPlane) -> None:
    path = ROOT / "deploy" / "operator.yaml"
    cluster.run_kubectl("apply", "--server-side", "--force-conflicts", "-f", str(path))
    kinds = [one["kind"] for one in yaml.safe_load_all(path.read_text()) if one]
    assert kinds[0] == "Namespace"
    assert set(kinds[1:]) == {one["kind"] for one in render()}
    cluster.run_kubectl("delete", "clusterrole,clusterrolebinding", NAME)


def test_secrets_are_read_by_name_in_the_watched_namespaces_only(cluster: ControlPlane) -> None:
    roles = [one for one in render(watchNamespaces=[WATCHED]) if "Role" in one["kind"]]
    cluster.run_kubectl("apply", "-f", "-", input=yaml.safe_dump_all(roles))
    account = f"--as=system:serviceaccount:{RELEASE_NAMESPACE}:{NAME}"

    def may(verb: str, what: str, namespace: str) -> bool:
        answer = cluster.run_kubectl(
            "auth", "can-i", verb, what, account, namespace=namespace, check=False
        )
        return answer.stdout.strip() == "yes"

    assert may("get", "secrets/fabrikam-exchange", WATCHED)
    assert not may("list", "secrets", WATCHED)
    assert not may("watch", "secrets", WATCHED)
    assert not may("get", "secrets/fabrikam-exchange", OTHER)
    assert may("create", "events.events.k8s.io", WATCHED)
