"""The demo model: the checkpoint that ships with the package and the script that makes it."""
