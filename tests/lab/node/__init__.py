"""One real Kubernetes node with Pods that run, in namespaces of its own: `make e2e-cluster`."""
