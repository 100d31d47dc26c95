"""PostgreSQL and an S3 server for a machine that has neither, under our own supervision.

They trust the processes of this machine and listen on loopback only: for trying and development, not for a shared host.

Knows processes, ports, secrets and one state directory. Knows nothing of prompts, pictures or posts.
Nothing may be imported here: `bootstrap`, `home` and `progress` run before anything is installed.
"""
