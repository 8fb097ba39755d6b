"""`milvus-otel test`: what users expect of their rules, beside the rules."""
