"""Intake and queue: what waits, who holds it, and how far each prompt has come.

All SQL on the `prompts` table lives here. Knows nothing of pictures, objects or posts.
"""
