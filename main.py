"""The published EEA command line, word for word, over moodal: see moodal/published/eea_cli.py."""

from moodal.cli.main import mistakes

if __name__ == "__main__":
    with mistakes("main.py"):
        from moodal.published.eea_cli import main  # needs PyTorch: where it is not, that is said

        main()
