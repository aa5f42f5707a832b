"""Turns Vega-Lite charts into SVG that is safe inside a page and takes its colours from the page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

import vl_convert
from markupsafe import Markup

VEGA_LITE = "5.20"
SVG = "{http://www.w3.org/2000/svg}"
SHAPES = frozenset({"svg", "g", "path", "rect", "line", "text", "tspan", "circle", "defs", "clipPath"})
SHOWN = frozenset(
    [
        "width",
        "height",
        "viewBox",
        "transform",
        "d",
        "x",
        "y",
        "x1",
        "y1",
        "x2",
        "y2",
        "dx",
        "dy",
        "cx",
        "cy",
        "r",
        "fill",
        "stroke",
        "opacity",
        "text-anchor",
        "font-family",
        "font-size",
        "font-weight",
        "stroke-width",
        "stroke-dasharray",
        "fill-opacity",
        "stroke-opacity",
        "clip-path",
        "id",
    ]
)
LONG_NUMBER = re.compile(r"(\d+\.\d)\d+")


def render_svg(spec: Mapping[str, Any], name: str) -> Markup:
    """One chart as an `svg` element; its words are in the page, so it says nothing itself."""
    text = vl_convert.vegalite_to_svg(dict(spec), vl_version=VEGA_LITE)
    return cleaned(text, name)


def cleaned(text: str, name: str) -> Markup:
    """Only known shapes and attributes, ids of their own, no digits that nobody sees."""
    root = ET.fromstring(text)
    _clean(root, name)
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    for size in ("width", "height"):
        root.attrib.pop(size, None)  # the page decides
    return Markup(ET.tostring(root, encoding="unicode"))


def _clean(element: ET.Element, name: str) -> None:
    element.tag = element.tag.removeprefix(SVG)
    kept = {key: value for key, value in element.attrib.items() if key in SHOWN}
    element.attrib.clear()
    for key, value in kept.items():
        if key == "id":
            value = f"{name}-{value}"
        value = value.replace("url(#", f"url(#{name}-")
        element.set(key, LONG_NUMBER.sub(r"\1", value))
    element.tail = None
    for child in list(element):
        if not isinstance(child.tag, str) or child.tag.removeprefix(SVG) not in SHAPES or _unseen(child):
            element.remove(child)
        else:
            _clean(child, name)


def _unseen(element: ET.Element) -> bool:
    empty = element.tag == f"{SVG}path" and not element.get("d")
    return empty or element.get("opacity") == "0" or element.get("display") == "none"
