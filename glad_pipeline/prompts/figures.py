"""Figures of the queue for who watches it: statements alone, for an event loop. Reads `prompts`, `prompt_events`."""

from __future__ import annotations

from glad_pipeline.database import named_queries

QUERIES = named_queries(__package__, "figures.sql")
