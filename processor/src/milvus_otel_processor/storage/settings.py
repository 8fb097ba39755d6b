"""The settings of the `file_storage` extension, with the Collector's names."""

from __future__ import annotations

from pydantic import Field

from milvus_otel_processor.settings import Settings


class FileStorageSettings(Settings):
    """A folder in which requests are kept from before they are acknowledged until what they hold is decided and exported."""

    directory: str = Field(
        default="/var/lib/milvus-otel", min_length=1, description="The folder; one processor has it for itself."
    )
    create_directory: bool = Field(default=True, description="Make the folder where it is missing.")
    fsync: bool = Field(
        default=False,
        description="Without it nothing that was acknowledged is lost when the process dies, however it dies; with it nor when the "
        "machine does: each request is then on the disk, not only with the kernel, before it is acknowledged.",
    )
    max_size_mib: int = Field(
        default=1024,
        gt=0,
        description="How much the folder may hold; beyond it the receiver refuses, and senders try again. "
        "Not in the Collector; MiB.",
    )
