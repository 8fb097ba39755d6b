"""Which line of the access log is about which call, where no trace id says so."""
