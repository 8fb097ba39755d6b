"""Secrets are taken as they are spelled, and shown nowhere."""

import pytest
from milvus_otel_processor.config import ConfigError, load_config


def password(*overrides: str, **environ: str) -> str:
    arguments = ("processors.milvus.user=root", *overrides)
    config = load_config(None, overrides=arguments, environ=environ).config
    assert config.milvus is not None
    return config.milvus.password.get_secret_value()


@pytest.mark.parametrize("secret", ["12345", "0123", "1e5", "true", "0x1f", "12_3", "plain"])
def test_a_password_is_what_is_written_whatever_yaml_takes_it_for(secret: str) -> None:
    assert password(f"processors.milvus.password={secret}") == secret
    assert password("processors.milvus.password=${env:SECRET}", SECRET=secret) == secret


def test_an_error_about_a_secret_does_not_show_it() -> None:
    for wrong in ("{a: s3cret}", "[s3cret]"):
        with pytest.raises(ConfigError) as caught:
            password(f"processors.milvus.password={wrong}")
        assert "s3cret" not in str(caught.value)
        assert all("s3cret" not in str(problem) for problem in caught.value.problems)


PLACES = {
    "processors.milvus.password": "{user: root, password: %s}",
    "processors.milvus.token": "{token: %s}",
    "processors.redaction.hmac_key": "{hash_function: hmac-sha256, hmac_key: %s}",
    "extensions.bearertokenauth.token": "{token: %s}",
    "exporters.otlp.headers": "{endpoint: 'h:1', headers: {x: %s}}",
}


@pytest.mark.parametrize(
    "value",
    [
        "{a: s3cret}",
        "[s3cret]",
        "{s3cret: 1}",
        "[[s3cret]]",
        '"s3cret\\u0007"',
        "!!binary s3cret",
        "@s3cret",
        "'s3cret",
        "*s3cret",
        "!!int s3cret",
    ],
)
@pytest.mark.parametrize("place", PLACES)
def test_no_place_for_a_secret_shows_what_was_written_there(place: str, value: str) -> None:
    component = place.rpartition(".")[0]
    if component == "exporters.otlp":
        overrides = [f"exporters.otlp={PLACES[place] % value}"]
    else:
        overrides = [f"{component}={PLACES[place] % value}"]
    try:
        said = str(load_config(None, overrides=overrides, environ={}).warnings)
    except ConfigError as error:
        said = str(error)
    assert "s3cret" not in said


@pytest.mark.parametrize(
    "place",
    [
        "processors.milvus.uri",
        "service.telemetry.page.jaeger",
        "exporters.otlp.endpoint",
        "receivers.otlp.protocols.grpc.endpoint",
    ],
)
@pytest.mark.parametrize("url", ["http://root:s3cret@h:1", "https://s3cret@h:1", "http://a:s3@cret@h:1"])
def test_a_password_in_a_url_is_refused_and_not_shown(place: str, url: str) -> None:
    overrides = [f"{place}={url}", "service.telemetry.page.endpoint=127.0.0.1:1"]
    with pytest.raises(ConfigError) as caught:
        load_config(None, overrides=overrides, environ={})
    assert "s3" not in str(caught.value)
