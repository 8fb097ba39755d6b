"""The way of a trace: in, held until it is due, decided, out."""
