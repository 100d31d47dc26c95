"""Who may call: what stands between a socket and an ASGI application that believes everybody.

What belongs here: which hosts and origins are ours, tokens, passwords and sessions. What does not: what is called, how
it is served, and the settings. Standard library and starlette's requests and responses only.
"""

from __future__ import annotations

from glad_pipeline.guard.access import Access
from glad_pipeline.guard.hosts import LOOPBACK, host_name
from glad_pipeline.guard.middleware import LOGIN, Guard
from glad_pipeline.guard.public import PublicGuard

__all__ = ["LOGIN", "LOOPBACK", "Access", "Guard", "PublicGuard", "host_name"]
