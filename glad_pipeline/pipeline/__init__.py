"""What a run does with its batch, one module for each step, and what every door asks about runs and their results.

Brings the stages (prompts, generation, publishing, outbox) and the store together; what a person asks for by a command
is `operations`. Knows no Dagster, no HTTP and no terminal."""
