"""Milvus' access log: its format, its lines, and those of them that wait for their trace."""
