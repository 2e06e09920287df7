"""The Kubernetes side: what wakes a resource, who looks at it, what is written about it."""
