"""The attributes that rules ask for, against those that enrichment writes: another name, another type, or not written at all."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from milvus_otel_processor.enrichment.attributes import ATTRIBUTES, Selection
from milvus_otel_processor.enrichment.settings import SOURCES
from milvus_otel_processor.sampling.policies.base import located

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milvus_otel_processor.enrichment.attributes import Attribute
    from milvus_otel_processor.enrichment.settings import MilvusSettings
    from milvus_otel_processor.sampling.policies.base import AskedAttribute
    from milvus_otel_processor.sampling.settings import TailSamplingSettings

_WRITTEN = {attribute.name: attribute for attribute in ATTRIBUTES}
_OTHER_NAMES = {
    "db.collection.name": (
        "collection collection_name collection.name db.collection db.collection_name db.milvus.collection milvus.collection "
        "milvus.collection.name milvus.collection_name"
    ),
    "db.namespace": "database db_name database_name db.name db.database milvus.database milvus.db milvus.namespace milvus.db_name",
    "db.operation.name": "db.operation milvus.operation milvus.method milvus.operation.name",
    "db.system.name": "db.system",
    "db.response.status_code": "error_code milvus.error.code milvus.error_code milvus.status_code db.status_code",
    "milvus.error.message": "error.message error_message milvus.error_message milvus.error",
    "milvus.collection.row_count": "milvus.row_count milvus.rows milvus.collection.rows",
    "milvus.collection.load_state": "milvus.load_state",
    "milvus.collection.alias": "milvus.alias.name db.collection.alias",
    "milvus.partitions": "milvus.partition milvus.partition_names milvus.partition.name",
    "enduser.id": "milvus.user milvus.user_name milvus.username user_name",
}
"""Names under which people look for what enrichment writes."""
_INSTEAD = {other: name for name, others in _OTHER_NAMES.items() for other in others.split()}
_PREFIXES = ("milvus.", "db.")
_CLIENT_NAMES = """
db.operation.batch.size db.query.text db.query.summary db.response.returned_rows db.statement db.user milvus.alias
milvus.anns_field milvus.client_request_id milvus.consistency_level milvus.delete_count milvus.ef milvus.field_name
milvus.group_by_field milvus.index_name milvus.index_type milvus.insert_count milvus.limit milvus.metric_type milvus.nprobe
milvus.nq milvus.offset milvus.output_fields milvus.replica_number milvus.sub_request_count milvus.upsert_count
"""
_OF_CLIENTS = frozenset(_CLIENT_NAMES.split())
"""Names that begin in the same way and are those of clients' own attributes."""
_ALIKE = 0.85
_TYPES = {"string": "string", "int": "number", "double": "number", "boolean": "boolean"}


def remarks_on_attributes(rules: TailSamplingSettings, milvus: MilvusSettings | None) -> Iterator[str]:
    """Yield what is to be said of attributes that rules ask for; `milvus` is the processor of the pipeline, if it has one.

    Each remark is the path of the setting in the `tail_sampling` block, a colon, and what is to be said.
    """
    for path, policy in located(rules.policies, "policies"):
        type_ = str(getattr(policy, "type", ""))
        if milvus is None and (type_ in ("collection", "milvus_error") or any(policy.asked_collections())):
            yield (
                f"{path}.type: {type_} asks for what the milvus processor writes, and that is not in the pipeline; only spans of "
                f"clients that write it themselves can match"
            )
        for asked in policy.asked():
            remark = _remark(asked, milvus)
            if remark:
                yield f"{path}.{asked.path}: {remark}"


def _remark(asked: AskedAttribute, milvus: MilvusSettings | None) -> str:
    written = _WRITTEN.get(asked.key)
    if written is None:
        return _on_another_name(asked.key, milvus)
    if milvus is None:
        return (
            f"{asked.key} is written by the milvus processor, which is not in the pipeline" if _is_ours(written) else ""
        )
    if not _is_selected(written, milvus):
        where = (
            "it is written only where attributes.request.include names it"
            if written.opt_in
            else "it is not among attributes"
        )
        return f"{asked.key} is not written on spans with these settings of the milvus processor: {where}"
    is_type = _TYPES.get(written.type)
    if asked.type is not None and asked.type != is_type:
        what = f"a {is_type}" if is_type else "a list"
        return f"{asked.key} is written as {what}, and so is never a {asked.type} that matches"
    return ""


def _on_another_name(key: str, milvus: MilvusSettings | None) -> str:
    if milvus is None or key in _OF_CLIENTS or not set(milvus.sources) <= set(SOURCES):
        return ""  # a source of the user's own may write anything
    near = get_close_matches(key, _WRITTEN, n=1, cutoff=_ALIKE) if key.startswith(_PREFIXES) else []
    name = _INSTEAD.get(key) or (near[0] if near else None)
    return f"enrichment writes {name}; {key} is only there where a client writes it itself" if name else ""


def _is_ours(attribute: Attribute) -> bool:
    return attribute.name.startswith("milvus.") and attribute.name != "milvus.partitions"


def _is_selected(attribute: Attribute, milvus: MilvusSettings) -> bool:
    chosen = (milvus.attributes.subtree, milvus.attributes.request)
    return any(Selection(one.include, one.exclude).wants(attribute.name) for one in chosen)
