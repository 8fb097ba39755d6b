"""The decision over a whole trace: policies, each with its file, and the sampler that asks them."""
