"""What a run does with its batch, one module for each step. Knows no Dagster, no HTTP and no terminal."""
