"""PostgreSQL and an S3 server for a machine that has neither, under our own supervision.

Knows processes, ports, secrets and one state directory. Knows nothing of prompts, pictures or posts.
Nothing may be imported here: `bootstrap` and `progress` run before anything is installed.
"""
