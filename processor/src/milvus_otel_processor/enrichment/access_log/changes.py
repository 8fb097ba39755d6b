"""Requests after which the catalogue is out of date, by their methods."""

WRITES = frozenset(("Insert", "Upsert", "Delete", "Flush", "Import", "ManualCompaction", "TruncateCollection"))
"""Those that change what is in a collection."""
CHANGES = frozenset(
    (
        "AlterAlias",
        "AlterCollection",
        "AlterIndex",
        "CreateAlias",
        "CreateCollection",
        "CreateDatabase",
        "CreateIndex",
        "CreatePartition",
        "DropAlias",
        "DropCollection",
        "DropDatabase",
        "DropIndex",
        "DropPartition",
        "LoadCollection",
        "LoadPartitions",
        "ReleaseCollection",
        "ReleasePartitions",
        "RenameCollection",
    )
)
"""Those that make, change or drop a collection, a part of it or an alias, or load or release it."""
