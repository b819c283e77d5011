"""``python -m moodal``, the same as ``moodal``."""

from moodal.cli.main import main

if __name__ == "__main__":
    main()
