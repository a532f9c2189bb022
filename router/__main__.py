"""`python -m router`: the command."""

from router.cli import main

if __name__ == "__main__":
    main()
