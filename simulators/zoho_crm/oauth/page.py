"""A page of the accounts server: one HTML file that loads nothing else, for small and large screens, light and dark."""

from __future__ import annotations

import html

from ..routes import Answer

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}

FOOTER = "A simulated Zoho on 127.0.0.1. No account of Zoho's is touched."


def page(status: int, title: str, text: str, more: str = "", *, footer: str | None = None) -> Answer:
    """A card with a title, a sentence and `more` HTML; title and text are escaped here."""
    title, text = html.escape(title), html.escape(text)
    body = PAGE.replace("{title}", title).replace("{text}", text).replace("{footer}", footer or FOOTER)
    body = body.replace("{more}", more)
    return Answer(status, raw=body.encode(), content_type="text/html;charset=UTF-8", headers=dict(HEADERS))


PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {
  color-scheme: light dark;
  --ground: #eef1f5; --card: #fff; --ink: #1c2430; --soft: #5b6675; --line: #d9dfe7; --key: #1a5fb4; --on-key: #fff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12161c; --card: #1c222b; --ink: #e8ecf2; --soft: #9aa6b6; --line: #323b48; --key: #7fb3f5;
    --on-key: #0b1a2c;
  }
}
* { box-sizing: border-box }
body {
  margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, "Segoe UI", Roboto, sans-serif;
}
main {
  width: 100%; max-width: 30rem; padding: 1.75rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem;
}
h1 { margin: 0 0 .75rem; font-size: 1.3rem; line-height: 1.3; text-wrap: balance }
p { margin: 0 0 1rem }
ul { list-style: none; margin: 0 0 1.5rem; padding: 0; border-top: 1px solid var(--line) }
li { padding: .55rem 0; border-bottom: 1px solid var(--line) }
code { display: block; color: var(--soft); font-size: .8rem; overflow-wrap: anywhere }
form { display: flex; gap: .75rem; margin: 0 }
button {
  flex: 1; padding: .7rem 1rem; font: inherit; font-weight: 600; border-radius: .5rem; cursor: pointer;
  border: 1px solid var(--line); background: transparent; color: inherit;
}
button[value=accept] { background: var(--key); border-color: var(--key); color: var(--on-key) }
button:focus-visible { outline: 3px solid var(--key); outline-offset: 2px }
footer { margin-top: 1.25rem; color: var(--soft); font-size: .8rem }
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
{more}
<footer>{footer}</footer>
</main>
</body>
</html>
"""
