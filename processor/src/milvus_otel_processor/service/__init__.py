"""The running processor: put together, started, reloaded, stopped."""
