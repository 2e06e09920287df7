"""The Exchange half of the lab: one model, in process and behind WinRM."""
