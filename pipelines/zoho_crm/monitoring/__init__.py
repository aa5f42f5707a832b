"""What earlier runs have left, for people and for programs."""
