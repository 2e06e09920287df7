"""The operator under the real Argo CD and the real Flux: `make e2e-gitops`."""
