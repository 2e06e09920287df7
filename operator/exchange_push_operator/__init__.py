"""A Kubernetes operator for push notifications proxying between Exchange and Microsoft 365."""
