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
