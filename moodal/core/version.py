"""The version of moodal."""

__version__ = "0.1.0"
