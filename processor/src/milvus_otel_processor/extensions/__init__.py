"""What takes part beside the pipeline, with the Collector's names."""
