"""Counts every Milvus request before sampling: how many, how long, how they ended, and where their time went."""
