"""How much memory there is, how much of it is used, and whether more may be taken in."""
