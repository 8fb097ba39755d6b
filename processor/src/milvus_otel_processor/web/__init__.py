"""The one HTTP server: metrics, health, and the page with its API, each where the configuration puts it."""
