"""The operator itself as an Application: chart from git, synced, pruned, deleted; the CRD stays."""

from __future__ import annotations

import shutil

import yaml

from lab import chart, wait
from lab.demo_screen import Screen
from lab.gitops.argocd import BACKGROUND, EXAMPLES, ArgoCD
from lab.gitops.argocd_watch import ApplicationWatch
from lab.gitops.repository import Repository
from lab.installation import CRD_NAME, Manifest
from lab.resources import merged
from lab.running import RunningLab

RELEASE = "by-argocd"
_PATH = "helm/exchange-push-operator"
_PATIENCE = 90.0
_VIEW_ROLE = f"{RELEASE}-exchange-push-operator-view"
_CASCADE = {"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io/background"]}}
_WITHOUT_CRD = {"spec": {"source": {"helm": {"valuesObject": {"crds": {"enabled": False}}}}}}


class OperatorActs:
    """No node runs its Pods, so it never gets healthy: what Argo CD applies is looked at."""

    def __init__(
        self, lab: RunningLab, argocd: ArgoCD, watch: ApplicationWatch, screen: Screen
    ) -> None:
        self._lab, self._argocd, self._watch = lab, argocd, watch
        self._screen = screen
        self._repository = Repository(lab.folder / "charts")

    def all(self) -> None:
        """Raises AssertionError."""
        self._screen.step("The operator itself, as the example has it, with the chart from git")
        shutil.copytree(chart.CHART, self._repository.folder / _PATH)
        revision = self._repository.commit("notes")
        application = self._application()
        began = self._watch.journal.mark()
        self._argocd.apply(application)
        synced = self._watch.wait_synced(RELEASE, revision)
        self._screen.good(f"Synced after {synced.at - began:.1f} s")
        self._lab.apply()

        self._screen.step("The CRD goes out of the chart, with prune on")
        self._argocd.apply(merged(application, _WITHOUT_CRD))
        self._gone("clusterrole", _VIEW_ROLE)
        self._still_there("pruned what went with it")

        self._screen.step("The Application is deleted, with all that it has applied")
        self._argocd.apply(merged(application, _CASCADE))
        self._argocd.delete(RELEASE)
        self._gone("deployment", f"{RELEASE}-exchange-push-operator", namespace=RELEASE)
        self._still_there("deleted")

    def _application(self) -> Manifest:
        example: Manifest = yaml.safe_load((EXAMPLES / "operator.yaml").read_text("utf-8"))
        source = example["spec"]["source"]
        del source["chart"]
        source |= {"repoURL": self._repository.url, "path": _PATH, "targetRevision": "main"}
        values = {"watchNamespaces": [self._lab.namespace]}
        helm = {"releaseName": RELEASE, "valuesObject": values}
        spec = {"source": {"helm": helm}, "destination": {"namespace": RELEASE}}
        example["spec"]["syncPolicy"]["syncOptions"].append(BACKGROUND)
        return merged(example, {"metadata": {"name": RELEASE}, "spec": spec})

    def _gone(self, kind: str, name: str, namespace: str | None = None) -> None:
        look = ("get", kind, name, "--ignore-not-found", "-o", "name")
        cluster = self._lab.cluster
        wait.until(
            lambda: not cluster.run_kubectl(*look, namespace=namespace).stdout.strip(),
            _PATIENCE,
            f"{kind} {name} to go",
        )

    def _still_there(self, what: str) -> None:
        self._lab.cluster.run_kubectl("get", "crd", CRD_NAME)
        assert self._lab.resource(), f"{what}, and the resource with the CRD"
        self._screen.good(f"{what}; the CRD and the resource are still there")
