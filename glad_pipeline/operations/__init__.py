"""What an operator asks for beside the runs: audit, takedown, reproduction, redrawing, the demo. Knows no Dagster."""
