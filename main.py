"""The published EEA command line, word for word, over moodal: see moodal/learn/authors_cli.py."""

from moodal.learn.authors_cli import main

if __name__ == "__main__":
    main()
