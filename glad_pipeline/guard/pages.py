"""The guard's own pages, for people without a session. No script, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from html import escape

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 18vh auto 0; padding: 0 1rem }
h1 { font-size: 1.4rem; margin: 0 0 1rem }
form { display: flex; gap: .5rem }
input { flex: 1; min-width: 0; font: inherit; padding: .5rem .6rem; border: 1px solid #8888; border-radius: .4rem }
button { font: inherit; padding: .5rem 1rem; border: 0; border-radius: .4rem; background: #3b5bdb; color: #fff }
code { font-size: .9em; overflow-wrap: anywhere }
p { margin: 1rem 0; color: GrayText }
[role=alert] { color: light-dark(#b00020, #ff8a80) }
""".strip()
# Nothing but this style and a form that comes back to us; the guard adds that nobody may frame it.
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'self'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)


def login_page(*, action: str, after: str, has_password: bool, notice: str = "") -> str:
    """Asks for the password or the token; `after` is where the person wanted to go."""
    wanted = "Password" if has_password else "Token"
    hint = (
        ""
        if has_password
        else "<p>The address that <code>./glad up</code> prints logs you in. "
        "The token is also in <code>.glad/web-token</code> (<code>web-token</code> in GLAD_HOME).</p>"
    )
    alert = f'<p role="alert">{escape(notice)}</p>' if notice else ""
    return _page(
        f'<form method="post" action="{escape(action)}">'
        f'<input type="hidden" name="after" value="{escape(after)}">'
        f'<input type="password" name="password" aria-label="{wanted}" placeholder="{wanted}" '
        'autocomplete="current-password" required autofocus><button>Log in</button></form>'
        f"{alert}{hint}"
    )


def onward_page(to: str) -> str:
    """Leads on by itself. As a page and not as a redirection, after which the browser would keep back its cookie where
    the way began on another site."""
    return _page(
        f'<p><a href="{escape(to)}">Go on</a></p>', head=f'<meta http-equiv="refresh" content="0;url={escape(to)}">'
    )


def _page(body: str, head: str = "") -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>glad_pipeline</title>{head}'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1>glad_pipeline</h1>{body}</body></html>"
    )
