"""Each overlay is a stack that Compose understands, and changes what it says it changes."""

import json
from functools import cache
from itertools import combinations
from typing import Any

import pytest
from milvus_otel_processor.config import load_config

from tests.stack.engine import ROOT, Docker

VARIABLES = {
    "COLLECTOR_TOKEN": "secret",
    "MILVUS_URI": "http://milvus.example.com:19530",
    "JAEGER_ENDPOINT": "jaeger.example.com:4317",
}
OVERLAYS = ("tls", "production", "external", "opensearch", "metrics", "logs")


def compose(*overlays: str, profile: str | None = None, **variables: str) -> dict[str, Any]:
    """What Compose makes of the stack with these overlays."""
    found: dict[str, Any] = json.loads(configuration(*overlays, profile=profile, **variables))
    return found


@cache
def configuration(*overlays: str, profile: str | None, **variables: str) -> str:
    """The same as JSON; Compose is asked once for each."""
    arguments = ["--file", "compose.yaml"]
    for overlay in overlays:
        arguments += ["--file", f"compose/compose.{overlay}.yaml"]
    if profile:
        arguments += ["--profile", profile]
    docker = Docker().with_environment({**VARIABLES, **variables})
    return docker("compose", *arguments, "config", "--format", "json")


def published(stack: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        port["published"]: (name, port["host_ip"])
        for name, service in stack["services"].items()
        for port in service.get("ports", [])
    }


def test_the_stack_publishes_only_what_users_need_and_only_on_this_host():
    assert published(compose()) == {
        "4317": ("collector", "127.0.0.1"),
        "4318": ("collector", "127.0.0.1"),
        "16686": ("jaeger", "127.0.0.1"),
        "19530": ("milvus", "127.0.0.1"),
        "9091": ("milvus", "127.0.0.1"),
        "8888": ("processor", "127.0.0.1"),
    }


def test_the_address_that_ports_are_published_on_is_the_users_choice():
    addresses = {address for _, address in published(compose(BIND_ADDRESS="192.0.2.7")).values()}
    assert addresses == {"192.0.2.7"}


@pytest.mark.parametrize("name", ["milvus", "collector", "jaeger"])
def test_an_image_has_the_version_that_env_names(name: str):
    chosen = compose(MILVUS_VERSION="chosen", COLLECTOR_VERSION="chosen", JAEGER_VERSION="chosen")
    assert chosen["services"][name]["image"].endswith(":chosen")
    assert not compose()["services"][name]["image"].endswith((":latest", ":chosen"))


def test_the_demo_is_there_only_when_asked_for():
    assert "demo" not in compose()["services"]
    assert "demo" in compose(profile="demo")["services"]


@pytest.mark.parametrize("overlay", [None, *OVERLAYS])
def test_every_service_has_a_memory_limit_and_all_together_leave_room_on_8_gib(overlay: str | None):
    services = compose(*([overlay] if overlay else []))["services"]
    limits = {name: int(service.get("mem_limit", 0)) for name, service in services.items() if name != "volumes"}
    assert all(limits.values()), limits
    if overlay not in ("production", "opensearch"):  # these are for servers
        more = 1.5 if overlay == "metrics" else 0  # Prometheus and Grafana
        assert sum(limits.values()) <= (6.5 + more) * 1024**3


def test_a_second_checkout_has_containers_volumes_and_ports_of_its_own():
    """As docs/stack.md says."""
    second = compose(COMPOSE_PROJECT_NAME="second", BIND_ADDRESS="127.0.0.2")
    assert second["name"] == "second"
    assert compose()["name"] == "milvus-otel"
    names = {volume["name"] for volume in second["volumes"].values()} | {second["networks"]["default"]["name"]}
    assert all(name.startswith("second_") for name in names)
    assert not any("container_name" in service for service in second["services"].values())
    assert {address for _, address in published(second).values()} == {"127.0.0.2"}


@pytest.mark.parametrize("overlay", [None, "opensearch", "external", "metrics"])
def test_each_volume_belongs_to_who_writes_to_it_before_that_starts(overlay: str | None):
    stack = compose(*([overlay] if overlay else []))
    handed_over = {volume["source"] for volume in stack["services"].pop("volumes")["volumes"]}
    for prepared in ("opensearch", "prometheus"):  # their images prepare their own
        stack["services"].pop(prepared, None)
    for name, service in stack["services"].items():
        writes = {volume["source"] for volume in service.get("volumes", []) if not volume.get("read_only")}
        if writes:
            assert writes <= handed_over
            assert service["depends_on"]["volumes"]["condition"] == "service_completed_successfully", name


@pytest.mark.parametrize("overlay", [None, *OVERLAYS])
def test_every_lasting_service_is_healthy_before_up_returns(overlay: str | None):
    services = compose(*([overlay] if overlay else []))["services"]
    assert {name for name, service in services.items() if "healthcheck" not in service} == {"volumes", "collector"}
    assert services["collector-health"]["healthcheck"]["test"][-1] == "http://collector:13133"


@pytest.mark.parametrize("overlay", [None, *OVERLAYS])
def test_no_service_lives_in_the_network_of_another_which_ends_with_that(overlay: str | None):
    services = compose(*([overlay] if overlay else []), profile="demo")["services"]
    shared = {
        (name, kind): service[kind]
        for name, service in services.items()
        for kind in ("network_mode", "pid", "ipc", "volumes_from", "links")
        if kind in service
    }
    assert shared == {("volumes", "network_mode"): "none"}


@pytest.mark.parametrize("overlay", [None, *OVERLAYS])
def test_no_port_is_published_that_health_is_asked_at(overlay: str | None):
    assert "13133" not in published(compose(*([overlay] if overlay else [])))


@pytest.mark.parametrize("overlay", [None, *OVERLAYS])
def test_our_processor_runs_without_rights_that_it_does_not_need(overlay: str | None):
    processor = compose(*([overlay] if overlay else []))["services"]["processor"]
    assert processor["read_only"] is True
    assert processor["cap_drop"] == ["ALL"]
    written = {volume["target"] for volume in processor["volumes"] if not volume.get("read_only")}
    assert written == {"/var/lib/milvus-otel"}


def test_production_publishes_no_port_of_milvus_and_starts_everything_again():
    stack = compose("production")
    assert set(published(stack)) == {"4317", "4318", "16686", "8888"}
    assert stack["services"]["milvus"]["environment"]["TRACE_SAMPLEFRACTION"] == "0"
    for stack in (compose("production"), compose("opensearch", "metrics", "production")):
        lasting = {name: service.get("restart") for name, service in stack["services"].items() if name != "volumes"}
        assert set(lasting.values()) == {"unless-stopped"}, lasting


def test_external_has_neither_milvus_nor_jaeger_and_points_to_the_users_own():
    stack = compose("external", profile="demo")
    assert set(stack["services"]) == {"collector", "collector-health", "processor", "volumes"}
    processor = stack["services"]["processor"]
    assert set(processor["depends_on"]) == {"volumes"}
    said = {"MILVUS_URI": VARIABLES["MILVUS_URI"], "JAEGER_ENDPOINT": VARIABLES["JAEGER_ENDPOINT"]}
    assert processor["environment"] == said
    assert configured({}) == ("http://milvus:19530", "jaeger:4317")
    assert configured(said) == tuple(said.values())


def configured(environment: dict[str, str]) -> tuple[str, str]:
    """Where the processor's configuration has it look for Milvus, and export to."""
    config = load_config(ROOT / "compose" / "processor.yaml", environ=environment).config
    assert config.milvus is not None
    return config.milvus.uri, config.exporter.endpoint


@pytest.mark.parametrize(
    "others",
    [
        one
        for length in range(1, 4)
        for one in combinations(["tls", "production", "opensearch", "metrics", "logs"], length)
    ],
    ids="-".join,
)
def test_external_goes_together_with_all_others_as_the_last(others: tuple[str, ...]):
    alone, with_all = (
        compose(*others)["services"]["processor"],
        compose(*others, "external", profile="demo")["services"],
    )
    assert not {"milvus", "jaeger", "demo"} & set(with_all)
    processor = with_all["processor"]
    assert processor["command"] == alone["command"]
    assert processor["healthcheck"] == alone["healthcheck"]
    assert set(processor["depends_on"]) == set(alone["depends_on"]) - {"jaeger"}


def test_external_reads_the_access_log_where_it_lies():
    collector = compose("external", ACCESS_LOG_FOLDER="/srv/milvus/log")["services"]["collector"]
    (log,) = [volume for volume in collector["volumes"] if volume["target"] == "/var/log/milvus"]
    assert (log["type"], log["source"], log["read_only"]) == ("bind", "/srv/milvus/log", True)


@pytest.mark.parametrize(
    ("overlay", "variable"), [("tls", "COLLECTOR_TOKEN"), ("external", "MILVUS_URI"), ("external", "JAEGER_ENDPOINT")]
)
def test_a_variable_that_is_not_set_is_asked_for_by_name(overlay: str, variable: str):
    with pytest.raises(RuntimeError, match=variable):
        compose(overlay, profile=None, **{variable: ""})


def test_jaeger_on_opensearch_waits_for_it_and_keeps_nothing_itself():
    stack = compose("opensearch")
    jaeger = stack["services"]["jaeger"]
    assert jaeger["depends_on"]["opensearch"]["condition"] == "service_healthy"
    assert {volume["target"] for volume in jaeger["volumes"]} == {"/etc/jaeger/config.yaml", "/etc/jaeger/metrics.yaml"}
    assert published(stack)["16686"][0] == "jaeger"
    assert "jaeger" not in stack["volumes"]


def mounted(stack: dict[str, Any], service: str) -> dict[str, str]:
    """The names of the files that a service's configuration is made of, by where they are mounted."""
    volumes = stack["services"][service]["volumes"]
    return {volume["target"].rpartition("/")[2]: volume["source"].rpartition("/")[2] for volume in volumes}


@pytest.mark.parametrize(
    ("overlays", "theirs"),
    [
        ((), set()),
        (("tls",), {"tls.yaml"}),
        (("metrics",), {"metrics.yaml"}),
        (("opensearch",), {"opensearch.yaml"}),
        (("logs",), {"logs.yaml"}),
        (("logs", "opensearch", "tls"), {"logs.yaml", "opensearch.yaml", "tls.yaml"}),
        (("production", "tls", "opensearch", "metrics"), {"tls.yaml", "opensearch.yaml", "metrics.yaml"}),
    ],
    ids=lambda value: "-".join(sorted(value)) or "none",
)
def test_each_overlay_puts_its_configuration_of_the_collector_in_its_place(overlays: tuple[str, ...], theirs: set[str]):
    stack = compose(*overlays)
    files = mounted(stack, "collector")
    named = {option.rpartition("/")[2] for option in stack["services"]["collector"]["command"]}
    assert {name: files[name] for name in named - {"config.yaml"}} == {
        name: name if name in theirs else "nothing.yaml" for name in named - {"config.yaml"}
    }
    assert files["config.yaml"] == "config.yaml"


def test_sampled_logs_go_where_logs_go_and_the_processor_is_told():
    assert "LOGS_PIPELINE" not in compose()["services"]["processor"].get("environment", {})
    stack = compose("logs", "opensearch")
    assert "log_sampling" in stack["services"]["processor"]["environment"]["LOGS_PIPELINE"]
    assert stack["services"]["collector"]["environment"]["LOGS_EXPORTER"] == "opensearch"
    assert "4319" not in published(stack)


@pytest.mark.parametrize("more", [(), ("metrics",), ("tls", "production"), ("external",)], ids="-".join)
def test_a_collector_that_sampled_logs_come_back_to_outlives_the_processor(more: tuple[str, ...]):
    services = compose(*more, "logs")["services"]
    assert "collector" in services["processor"]["depends_on"]
    assert "processor" not in services["collector"]["depends_on"]


def test_jaeger_reads_metrics_where_there_is_a_prometheus():
    assert mounted(compose(), "jaeger")["metrics.yaml"] == "nothing.yaml"
    assert mounted(compose("metrics"), "jaeger")["metrics.yaml"] == "jaeger.metrics.yaml"
    together = compose("opensearch", "metrics")
    assert mounted(together, "jaeger") == {
        "config.yaml": "jaeger.opensearch.yaml",
        "metrics.yaml": "jaeger.metrics.yaml",
    }
    with_tls = compose("tls", "metrics")["services"]["jaeger"]["command"]
    assert "--config=/etc/jaeger/metrics.yaml" in with_tls


def test_metrics_publish_prometheus_and_grafana_on_this_host_alone_and_ask_for_no_password():
    stack = compose("metrics")
    more = published(stack).items() - published(compose()).items()
    assert more == {("9090", ("prometheus", "127.0.0.1")), ("3000", ("grafana", "127.0.0.1"))}
    assert stack["services"]["grafana"]["environment"]["GF_AUTH_ANONYMOUS_ENABLED"] == "true"


def test_metrics_of_an_external_milvus_have_prometheus_and_grafana_beside_collector_and_processor():
    stack = compose("metrics", "external")
    ours = {"collector", "collector-health", "processor", "volumes"}
    assert set(stack["services"]) == ours | {"prometheus", "grafana"}


def test_overlays_go_together_for_a_server_on_a_network():
    stack = compose("production", "tls")
    assert stack["services"]["collector"]["restart"] == "unless-stopped"
    assert mounted(stack, "collector")["tls.yaml"] == "tls.yaml"
