"""``exchange-push-operator selftest``: settles on a real server what no document settles."""
