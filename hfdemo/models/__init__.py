"""Where models come from: references, the loader, and the cache that holds what is loaded."""
