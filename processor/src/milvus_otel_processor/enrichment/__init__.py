"""What is known of the Milvus requests in a trace, appended to their spans before the policies see them."""
