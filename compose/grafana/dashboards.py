"""Grafana's dashboards, made with Grafana's own library: `uv run python compose/grafana/dashboards.py` writes dashboards/*.json."""

from pathlib import Path

from grafana_foundation_sdk.builders import common as parts
from grafana_foundation_sdk.builders import dashboard as board
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from panels import MILVUS_ROWS, PIPELINE_ROWS, REQUESTS, REQUESTS_ROWS, Panel

FOLDER = Path(__file__).with_name("dashboards")
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")

DASHBOARDS = {
    "requests": ("Milvus requests", "Rate, errors and duration of all requests, kept or not.", REQUESTS_ROWS),
    "pipeline": (
        "Tracing pipeline",
        "Collector, processor and Jaeger: what comes in, what is kept, what is lost.",
        PIPELINE_ROWS,
    ),
    "milvus": ("Milvus itself", "What Milvus says of itself on port 9091.", MILVUS_ROWS),
}


def _query(expression: str, legend: str, panel: Panel, reference: str) -> prometheus.Dataquery:
    query = (
        prometheus.Dataquery()
        .expr(expression)
        .legend_format(legend or "__auto")
        .ref_id(reference)
        .datasource(PROMETHEUS)
    )
    if panel.kind == "rows":
        return query.instant().format(PromQueryFormat.TABLE)
    return query.exemplar(panel.exemplars)


def _panel(panel: Panel) -> timeseries.Panel | stat.Panel | table.Panel:
    made: timeseries.Panel | stat.Panel | table.Panel
    if panel.kind == "number":
        made = stat.Panel().height(4).graph_mode(common.BigValueGraphMode.AREA)
        made = made.reduce_options(parts.ReduceDataOptions().calcs(["lastNotNull"]))
    elif panel.kind == "rows":
        made = table.Panel().height(8)
    else:
        made = timeseries.Panel().height(8).fill_opacity(10)
        if panel.kind == "stacked":
            made = made.stacking(parts.StackingConfig().mode(common.StackingMode.NORMAL)).fill_opacity(40)
    made = made.title(panel.title).description(panel.text).unit(panel.unit).span(panel.width).datasource(PROMETHEUS)
    for place, (legend, expression) in enumerate(panel.queries.items()):
        made = made.with_target(_query(expression, legend, panel, chr(ord("A") + place)))
    return made


def _variable(name: str, label: str, query: str) -> board.QueryVariable:
    variable = (
        board.QueryVariable(name)
        .label(label)
        .datasource(PROMETHEUS)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )
    return variable.multi(True).include_all(True).all_value(".*")


def made(name: str) -> Dashboard:
    """Return a dashboard, by the name of its file."""
    title, text, rows = DASHBOARDS[name]
    builder = board.Dashboard(title).uid(f"milvus-otel-{name}").description(text).tags(["milvus-otel"]).refresh("30s")
    builder = builder.time("now-1h", "now").timezone("browser").readonly()
    others = board.DashboardLink("Other dashboards").type(DashboardLinkType.DASHBOARDS).tags(["milvus-otel"])
    builder = builder.tooltip(DashboardCursorSync.CROSSHAIR).link(others)
    if name == "requests":
        builder = builder.with_variable(
            _variable("database", "Database", f"label_values({REQUESTS}_count, db_namespace)")
        )
        collections = f'label_values({REQUESTS}_count{{db_namespace=~"$database"}}, db_collection_name)'
        builder = builder.with_variable(_variable("collection", "Collection", collections))
    for row in rows:
        builder = builder.with_row(board.Row(row.title))
        for panel in row.panels:
            builder = builder.with_panel(_panel(panel))
    return builder.build()


def text(name: str) -> str:
    """Return a dashboard's JSON."""
    return JSONEncoder(sort_keys=True, indent=2).encode(made(name)) + "\n"


if __name__ == "__main__":
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(text(name), encoding="utf-8")
