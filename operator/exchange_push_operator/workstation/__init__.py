"""What the commands of a workstation share: signing in, ways to the outside, ways to be read."""
