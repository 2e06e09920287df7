"""A dozen ways to install the chart; each is linted, rendered and shown to the API server."""

from __future__ import annotations

from typing import Any, TypeAlias

import yaml

from lab.resources import ROOT

Values: TypeAlias = dict[str, Any]

POLICY: Values = yaml.safe_load((ROOT / "examples" / "policy.yaml").read_text("utf-8"))
RELEASE_NAMESPACE, WATCHED, OTHER = "chart-operator", "chart-watched", "chart-other"

EVERY_VALUE: Values = {
    "policy": POLICY,
    "watchNamespaces": [WATCHED],
    "readOnly": True,
    "maxInterval": "15m",
    "logLevel": "debug",
    "logFormat": "text",
    "caBundle": {"configMapName": "corp-ca", "key": "bundle.pem"},
    "entraProxy": {
        "url": "https://proxy.corp.fabrikam.com:3129",
        "credentialsSecretName": "entra-proxy",
    },
    "krb5Conf": {"configMapName": "corp-krb5"},
    "extraArgs": ["--unreachable-grace-period=10m"],
    "extraEnv": [{"name": "TZ", "value": "Europe/Berlin"}],
    "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
    "extraVolumes": [{"name": "scratch", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    "extraObjects": [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "{{ .Release.Name }}-notes", "namespace": RELEASE_NAMESPACE},
        },
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: text, namespace: chart-operator}}",
    ],
    "image": {
        "registry": "registry.fabrikam.com",
        "repository": "mail/operator",
        "digest": f"sha256:{'0' * 64}",
    },
    "imagePullSecrets": [{"name": "registry"}],
    "serviceAccount": {"annotations": {"fabrikam.com/owner": "mail"}, "labels": {"team": "mail"}},
    "commonLabels": {"fabrikam.com/cost-centre": "4711"},
    "deploymentAnnotations": {"fabrikam.com/owner": "mail"},
    "deploymentLabels": {"team": "mail"},
    "podAnnotations": {"fabrikam.com/owner": "mail"},
    "podLabels": {"team": "mail"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "mail", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "system-cluster-critical",
    "hostUsers": False,
    "hostAliases": [{"ip": "10.0.0.11", "hostnames": ["ex1.corp.fabrikam.com"]}],
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["10.0.0.2"], "searches": ["corp.fabrikam.com"]},
}

SETS: dict[str, Values] = {
    "defaults": {},
    "every value": EVERY_VALUE,
    "one replica without leader election": {"replicas": 1, "leaderElection": {"enabled": False}},
    "three replicas": {"replicas": 3, "podDisruptionBudget": {"maxUnavailable": "50%"}},
    "two namespaces": {"watchNamespaces": [WATCHED, OTHER], "policy": POLICY},
    "watched Secrets": {"secrets": {"watch": True}},
    "named Secrets": {"rbac": {"secretNames": ["fabrikam-exchange", "fabrikam-entra"]}},
    "PodMonitor, alerts and dashboard": {
        "metrics": {"podMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
        "prometheusRule": {
            "enabled": True,
            "labels": {"release": "prometheus"},
            "alertLabels": {"team": "mail"},
            "disabledAlerts": ["ExchangePushThrottled"],
            "runbookUrl": "https://wiki.fabrikam.com/runbooks/{alert}/",
        },
        "grafanaDashboard": {"enabled": True, "annotations": {"grafana_folder": "Exchange"}},
    },
    "ServiceMonitor": {
        "metrics": {
            "serviceMonitor": {
                "enabled": True,
                "interval": "1m",
                "scrapeTimeout": "20s",
                "relabelings": [{"targetLabel": "cluster", "replacement": "mail"}],
                "metricRelabelings": [
                    {"sourceLabels": ["__name__"], "regex": ".*_bucket", "action": "drop"}
                ],
            }
        }
    },
    "policy of somebody else": {"policyFrom": {"configMapName": "mail-policy", "key": "mail"}},
    "network policy": {
        "networkPolicy": {
            "enabled": True,
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}],
            "apiServer": {"cidrs": ["10.0.0.10/32"], "ports": [6443]},
            "exchange": {"cidrs": ["10.20.0.0/16", "fd00:20::/64"], "ports": [5986]},
            "domainControllers": {"cidrs": ["10.20.1.0/24"]},
            "microsoft": {"cidrs": ["10.30.0.5/32"]},
            "extraEgress": [{"ports": [{"port": 8443, "protocol": "TCP"}]}],
        },
        "entraProxy": {"url": "http://proxy.corp.fabrikam.com:3128"},
    },
    "network policy of defaults": {"networkPolicy": {"enabled": True}},
    "OpenShift": {"openshift": {"adaptSecurityContext": "force"}},
    "rights by hand": {
        "rbac": {"create": False, "aggregateToView": False},
        "serviceAccount": {"create": False, "name": "mail-operator"},
        "crds": {"enabled": False},
        "metrics": {"enabled": False},
    },
    "editors may edit": {"rbac": {"aggregateToEdit": True}, "crds": {"keep": False}},
}
