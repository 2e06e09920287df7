"""The acts of `make e2e-cluster`, in order. Each goes on when its effect was seen."""

from __future__ import annotations

import threading
import time

from end_to_end.looking import assert_configured, assert_nothing_twice, is_configured
from lab import wait
from lab.node.pods import Pods
from lab.node.release import NAME, NAMESPACE, Release
from lab.node.stage import Stage

TAKE_OVER = 16.0  # seconds: what two replicas are for
IDLE = 30.0  # seconds over which idle Pods are measured
_ROLLOUT = ("rollout", "status", f"deployment/{NAME}", "--timeout=120s")


class Acts:
    """One performance."""

    def __init__(self, stage: Stage, release: Release, pods: Pods) -> None:
        self.stage, self.screen, self._release, self._pods = stage, stage.screen, release, pods

    def all(self) -> None:
        """Raises AssertionError with what was expected and what was seen."""
        self._install()
        self._declare()
        self._measure()
        self._kill_the_leader()
        self._upgrade_in_a_change()
        self._without_ca()
        self._wrong_password()
        self._missing_secret()
        self._too_little_memory()
        self._uninstall()

    def _install(self) -> None:
        self.screen.step("helm install: two replicas, default security values, no extra rights")
        with self.stage.timed("both replicas ready"):
            self._release.upgrade()
        self._pods.leader()  # the first start of all waits for 15 s
        self.stage.show("get", "pods,lease", namespace=NAMESPACE)
        assert len(self._pods.all()) == 2, "two replicas by default"

    def _declare(self) -> None:
        self.screen.step("A resource: Exchange and Entra ID are configured")
        self._start_afresh()
        with self.stage.timed("apply to Ready"):
            self.stage.apply()
            self.stage.wait_ready()
        self.stage.show("get", "epc", "-o", "wide")
        assert_configured(self.stage)

    def _measure(self) -> None:
        self.screen.step(f"What the Pods use, by their cgroups: {IDLE:g} s with nothing to do")
        before = self._pods.usage()
        threading.Event().wait(IDLE)
        leader = self._pods.leader()["metadata"]["name"]
        for name, now in self._pods.usage().items():
            role = "leader" if name == leader else "standby"
            cpu = (now.cpu - before[name].cpu) / IDLE * 1000
            self.screen.good(f"{role}: {now} since its start; idle: {cpu:.1f} millicores")

    def _kill_the_leader(self) -> None:
        self.screen.step("SIGKILL of the leader's container, and the proxy is switched off by hand")
        leader, holder = self._pods.leader(), self._pods.holder()
        self._pods.kill(leader)
        started = time.monotonic()
        self.stage.control.cmdlet("Disable-PushNotificationProxy", Confirm=False)
        self.stage.reconcile_now()
        wait.until(lambda: self._pods.holder() not in ("", holder), 60, "another leader")
        self.stage.figure("another process leads", time.monotonic() - started, TAKE_OVER)
        wait.until(lambda: is_configured(self.stage), 60, "the proxy, enabled again")
        self.stage.figure("the proxy is enabled again", time.monotonic() - started)
        self.stage.wait_ready()
        self.stage.show("get", "pods,lease", namespace=NAMESPACE)

    def _upgrade_in_a_change(self) -> None:
        self.screen.step("helm upgrade while a certificate is being made")
        self._start_afresh()
        control = self.stage.control
        control.post("/hold", matching="New-ExchangeCertificate", when="after", changes=True)
        self.stage.apply()
        wait.until(lambda: control.get("/hold")["held"], 60, "the call to be held")
        leader = self._pods.leader()["metadata"]["name"]
        upgrade = self._release.start_upgrade(logLevel="debug")
        wait.until(lambda: leader not in self._pods.names(), 120, f"{leader} to be told to end")
        self.screen.note(f"{leader}, which leads, is told to end: now the call returns")
        control.post("/release")
        output, _ = upgrade.communicate()
        assert upgrade.returncode == 0, output.decode()
        self.stage.wait_ready()
        assert_configured(self.stage)
        assert_nothing_twice(self.stage)
        self.screen.good("one certificate, one key, one auth server, and the proxy: nothing lost")

    def _without_ca(self) -> None:
        self.screen.step("Without the CA: helm upgrade with no caBundle, and a new resource")
        self._release.upgrade(caBundle={"configMapName": ""})
        self._start_afresh()
        self.stage.apply()
        self.stage.wait_shown("get", "epc", "-o", "wide", text="not trusted")
        self._show_resource()
        self._recover("the CA is back")

    def _wrong_password(self) -> None:
        self.screen.step("A Secret with a wrong password")
        wrong = {**self.stage.account, "password": "wrong"}
        secret = self.stage.installation.secret
        self.stage.installation.apply(secret("fabrikam-exchange", wrong))
        self.stage.reconcile_now()
        self.stage.wait_condition("Ready", "False")
        self._show_resource()
        assert "wrong" not in self.stage.operator_log, "a password in the log"
        self.stage.installation.apply(secret("fabrikam-exchange", self.stage.account))
        self._recover("the password is right again")

    def _missing_secret(self) -> None:
        self.screen.step("A CA Secret that is not there: the new Pods wait, the old ones work on")
        missing = {"configMapName": "", "secretName": "not-there"}
        self._release.upgrade(wait=False, caBundle=missing)
        words = ("describe", "pod", self._new_pod())
        self.stage.wait_shown(*words, text="FailedMount", namespace=NAMESPACE)
        self.stage.show("get", "pods", namespace=NAMESPACE)
        self.stage.show(*words, namespace=NAMESPACE, only="FailedMount|not-there")
        self._recover("the CA is named again")

    def _too_little_memory(self) -> None:
        self.screen.step("Too little memory: a limit of 32 MiB")
        small = {"limits": {"memory": "32Mi"}, "requests": {"memory": "16Mi"}}
        self._release.upgrade(wait=False, resources=small)
        words = ("describe", "pod", self._new_pod())
        self.stage.wait_shown(*words, text="OOMKilled", namespace=NAMESPACE)
        self.stage.show("get", "pods", namespace=NAMESPACE)
        self.stage.show(*words, namespace=NAMESPACE, only="OOMKilled|137|Back-off")
        self._recover("enough memory again")

    def _uninstall(self) -> None:
        self.screen.step("helm uninstall: the resource and what it configured stay")
        self._release.uninstall()
        wait.until(lambda: not self._pods.all(), 60, "the Pods to be gone")
        self.stage.show("get", "epc")
        assert self.stage.resource(), "the resource stays, and so does the CRD"
        assert_configured(self.stage)
        with self.stage.timed("kubectl delete, with no operator there", at_most=10):
            self.stage.show("delete", "epc", "fabrikam", "--timeout=30s")
        assert_configured(self.stage)

    def _start_afresh(self) -> None:
        """An organisation as Exchange Setup leaves it, but without an Auth certificate."""
        self.stage.kubectl("delete", "epc", "--all")
        self.stage.control.post("/reset", authCertificate=False)

    def _show_resource(self) -> None:
        self.stage.show("get", "epc")
        self.stage.show("describe", "epc", "fabrikam", only="Message:|Reason:|Warning")

    def _new_pod(self) -> str:
        """The one that an upgrade waits for, beside two that are there."""
        wait.until(lambda: len(self._pods.all()) == 3, 60, "a new Pod")
        return self._pods.newest()

    def _recover(self, why: str) -> None:
        self._release.upgrade()
        self.stage.cluster.run_kubectl(*_ROLLOUT, namespace=NAMESPACE)
        self.stage.reconcile_now()
        self.stage.wait_ready(timeout=120)
        self.screen.good(f"Ready: {why}")
