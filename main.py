"""The published EEA command line, word for word, over moodal: see moodal/published/eea_cli.py."""

from moodal.cli.main import user_errors

if __name__ == "__main__":
    with user_errors("main.py"):
        from moodal.published.eea_cli import main  # imported here: its absence is a user error

        main()
