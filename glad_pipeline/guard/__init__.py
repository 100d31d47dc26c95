"""Who may call: what stands between a socket and an ASGI application that believes everybody.

What belongs here: which hosts and origins are ours, tokens, passwords and sessions. What does not: what is called, how
it is served, and the settings. Standard library and starlette's requests and responses only.
"""

from __future__ import annotations

from glad_pipeline.guard.access import Access
from glad_pipeline.guard.hosts import LOOPBACK, host_name
from glad_pipeline.guard.middleware import LOGIN, Guard

__all__ = ["LOGIN", "LOOPBACK", "Access", "Guard", "host_name"]
