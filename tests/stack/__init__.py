"""The stack as users run it: the unchanged compose files, on a Docker engine of the tests' own, with real parts in
stand-ins for the images, which cannot be pulled everywhere."""
