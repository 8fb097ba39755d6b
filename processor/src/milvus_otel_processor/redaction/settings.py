"""Settings of the `redaction` processor, with the Collector's names (processor/redactionprocessor)."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from milvus_otel_processor.redaction.patterns import compiled
from milvus_otel_processor.settings import Settings

HashFunction = Literal["", "md5", "sha1", "sha3", "hmac-sha256", "hmac-sha512"]


class RedactionSettings(Settings):
    """What is removed from kept spans, and what is masked: in attributes of spans, events, links, resources and scopes.

    In the order of the checks of one attribute. Regular expressions are RE2's, and may match anywhere.
    """

    ignored_keys: list[str] = Field(default=[], description="Keys whose attributes are left as they are.")
    ignored_key_patterns: list[str] = Field(default=[], description="The same for keys that match one of these.")
    allow_all_keys: bool = Field(
        default=False, description="Whether attributes stay whose keys are not in `allowed_keys`."
    )
    allowed_keys: list[str] = Field(
        default=[],
        description="Keys whose attributes stay; all others are removed, unless `allow_all_keys` is set. Remember `service.name`, "
        "`tailsampling.policy`, and those that enrichment writes.",
    )
    allowed_values: list[str] = Field(default=[], description="A value in which one of these matches is left as it is.")
    blocked_key_patterns: list[str] = Field(
        default=[], description="The values of keys that match one of these are masked as a whole."
    )
    blocked_values: list[str] = Field(
        default=[],
        description="The parts of a value that match one of these are masked. Also in the messages of a span's status.",
    )
    redact_all_types: bool = Field(
        default=False,
        description="Look at numbers and booleans as texts too, so that `blocked_values` finds them. Texts in lists and mappings "
        "are looked at in any case, which the Collector does not do.",
    )
    hash_function: HashFunction = Field(
        default="",
        description="What stands in the place of what is masked: `****` where this is empty, else its hash. Whoever knows what a "
        "value may be can find it by its `md5`, `sha1` or `sha3`, but not by a hash with a key.",
    )
    hmac_key: SecretStr = Field(default=SecretStr(""), description="The key of `hmac-sha256` and `hmac-sha512`.")
    summary: Literal["debug", "info", "silent"] = Field(
        default="silent",
        description="Attributes that say what was done: `info` writes how many attributes were redacted (removed), masked, allowed "
        "and ignored, `debug` their keys too.",
    )
    milvus_messages: bool = Field(
        default=True,
        description="Take out of Milvus' error messages what they quote of a client: the filter, and values. In all texts that "
        "look so, the messages of a span's status and of exceptions among them. Not in the Collector.",
    )

    @field_validator("ignored_key_patterns", "allowed_values", "blocked_key_patterns", "blocked_values")
    @classmethod
    def _are_expressions(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            compiled(pattern)
        return patterns

    @model_validator(mode="after")
    def _key_goes_with_its_function(self) -> Self:
        if self.hash_function.startswith("hmac-") != bool(self.hmac_key.get_secret_value()):
            raise ValueError(
                "expected hmac_key and a hash_function with a key, hmac-sha256 or hmac-sha512; both or neither"
            )
        return self
