"""The published MMER command line over moodal: see moodal/published/mmer_cli.py."""

from moodal.cli.main import mistakes

if __name__ == "__main__":
    with mistakes("main_mmer.py"):
        from moodal.published.mmer_cli import main  # needs PyTorch: where it is not, that is said

        main()
