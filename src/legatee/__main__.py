"""``python -m legatee`` is the command ``legatee``."""

from legatee.cli import main

if __name__ == "__main__":
    main()
