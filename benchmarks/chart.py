"""Draws results.json as one chart: rows a second and peak memory, ours against the plain way and two peers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CHART = Path(__file__).with_name("chart.svg")
NAMES = {
    "pipeline": "this pipeline",
    "limit": "its parts alone",
    "plain": "plain: unzip and read_csv",
    "generic_rest": "dlt's generic REST source",
    "pyairbyte, 2,000 rows": "PyAirbyte",
}
OURS, THEIRS = "#2563eb", "#94a3b8"


def rows_of(results: dict[str, Any]) -> list[dict[str, Any]]:
    works = results["works"]
    found = {**works["first_load"], **works["peers"]}
    return [
        {
            "way": name,
            "rows_per_second": found[key]["rows_per_second"],
            "peak_mb": round(found[key]["peak_mb"]),
            "colour": OURS if key == "pipeline" else THEIRS,
        }
        for key, name in NAMES.items()
        if isinstance(found.get(key), dict)
    ]


def draw(results: dict[str, Any]) -> None:
    """Write the chart; Vega-Lite draws it."""
    import vl_convert

    rows = rows_of(results)
    panels = [
        panel(rows, "rows_per_second", "rows a second"),
        panel(rows, "peak_mb", "peak memory, MB"),
    ]
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white",
        "config": {"font": "sans-serif", "view": {"stroke": None}},
        "hconcat": panels,
    }
    CHART.write_text(vl_convert.vegalite_to_svg(json.dumps(spec)) + "\n")


def panel(rows: list[dict[str, Any]], figure: str, title: str) -> dict[str, Any]:
    y = {"field": "way", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 220}}
    x = {"field": figure, "type": "quantitative", "title": title, "axis": {"tickCount": 4}}
    colour = {"field": "colour", "type": "nominal", "scale": None}
    text = {"field": figure, "type": "quantitative", "format": ",.0f"}
    return {
        "width": 260,
        "height": {"step": 30},
        "data": {"values": rows},
        "encoding": {"y": y, "x": x},
        "layer": [
            {"mark": {"type": "bar", "height": 18}, "encoding": {"color": colour}},
            {"mark": {"type": "text", "align": "left", "dx": 4}, "encoding": {"text": text}},
        ],
    }
