"""Why traces are missing or not joined: what can be seen from the processor, and what can be asked of its neighbours."""
