"""A token that senders have to show."""

from pathlib import Path

import grpc
import pytest
from milvus_otel_processor.extensions.bearer_token import BearerToken, BearerTokenSettings
from pydantic import ValidationError

from tests.peers.otlp_sink import METHOD, otlp_sink
from tests.support.clock import Clock
from tests.support.harness import sampling
from tests.support.processor import Configuration, exporter_settings, receiver_settings, running_processor


def settings(**values: object) -> BearerTokenSettings:
    return BearerTokenSettings.model_validate(values)


def test_without_the_token_a_request_is_refused_and_counted_and_the_token_is_in_no_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with otlp_sink() as sink:
        configuration = Configuration(
            receiver_settings(), exporter_settings(sink.endpoint), sampling(), authenticator=settings(token="s3cret")
        )
        with running_processor(configuration) as running:
            export = running.channel.unary_unary(METHOD)
            for wrong in ((), (("authorization", "s3cret"),), (("authorization", "Bearer s3cre"),)):
                with pytest.raises(grpc.RpcError) as caught:
                    export(b"", timeout=10, metadata=wrong)
                assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
                assert "s3cret" not in str(caught.value)
            export(b"", timeout=10, metadata=(("authorization", "Bearer s3cret"),))
            assert running.service.telemetry.snapshot().refused_requests == {"unauthenticated": 3}
    assert "s3cret" not in caplog.text


def test_tokens_in_a_file_are_read_again_when_it_changes_and_stay_when_it_is_broken(tmp_path: Path) -> None:
    file, clock = tmp_path / "tokens", Clock()
    file.write_text("old\nother\n")
    token = BearerToken(settings(filename=str(file)), clock)

    def shown(value: str) -> bool:
        return token.is_shown((("authorization", f"Bearer {value}"),))

    assert (shown("old"), shown("other"), shown("new"), shown("")) == (True, True, False, False)
    file.write_text("new\n")
    clock.advance(2)
    assert (shown("old"), shown("new")) == (False, True)
    for breaks in (lambda: file.write_text("\n"), file.unlink):
        breaks()
        clock.advance(2)
        assert shown("new")
    assert token.header() == ("authorization", "Bearer new")


@pytest.mark.parametrize("values", [{}, {"token": "a", "filename": "b"}])
def test_one_of_token_and_filename_is_expected(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="expected token or filename, one of the two"):
        settings(**values)


def test_a_token_is_not_shown_when_settings_are() -> None:
    assert "s3cret" not in repr(settings(token="s3cret"))
    assert "s3cret" not in str(settings(token="s3cret").model_dump())
