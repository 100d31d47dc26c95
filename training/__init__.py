"""The demo model: the checkpoint that ships with the package and the programs that make and measure it."""
