"""A magazine's own Dagster project, which lets glad_pipeline illustrate its posts."""
