"""``exchange-push-operator assess``: what state an organisation's trust in Microsoft 365 is in."""
