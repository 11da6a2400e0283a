"""A stranger's text in HTML and SVG."""

from __future__ import annotations

import html

from edgekit import plain


def escape(text: str) -> str:
    """Text that is neither tag nor attribute's end, in one line, with nothing that cannot be seen."""
    return html.escape(plain.cell(text))
