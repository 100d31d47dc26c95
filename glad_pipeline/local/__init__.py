"""PostgreSQL and an S3 server for a machine that has neither, under our own supervision.

They listen on loopback only, and no socket lets in who has no credentials (docs/security.md).

Knows processes, ports, secrets and one state directory. Knows nothing of prompts, pictures or posts.
Nothing may be imported here: `bootstrap`, `home` and `progress` run before anything is installed.
"""
