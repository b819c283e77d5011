"""The published MMER command line over moodal: see moodal/published/mmer_cli.py."""

from moodal.cli.main import user_errors

if __name__ == "__main__":
    with user_errors("main_mmer.py"):
        from moodal.published.mmer_cli import main  # imported here: its absence is a user error

        main()
