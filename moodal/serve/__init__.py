"""The server: a page in the browser, and an interface for programs, over a model."""
