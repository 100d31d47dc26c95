"""What an operator asks for beside the runs: audit, takedown, reproduction, the demo. Knows no Dagster."""
