"""What is on disk: requests that were acknowledged, and kept spans that wait for a peer that is away."""
