"""The published MMER command line over moodal: see moodal/learn/mmer_cli.py."""

from moodal.cli import mistakes

if __name__ == "__main__":
    with mistakes("main_mmer.py"):
        from moodal.learn.mmer_cli import main  # needs PyTorch: where it is not, that is said

        main()
