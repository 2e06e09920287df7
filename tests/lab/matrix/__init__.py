"""Every fault of the lab while every stage is being mended: the table of docs/reliability.md."""
