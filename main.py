"""The published EEA command line, word for word, over moodal: see moodal/learn/authors_cli.py."""

from moodal.cli import mistakes

if __name__ == "__main__":
    with mistakes("main.py"):
        from moodal.learn.authors_cli import main  # needs PyTorch: where it is not, that is said

        main()
