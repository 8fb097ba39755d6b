"""What the running processor shows of itself: what it decided and why, at an API and on a page in the browser."""
