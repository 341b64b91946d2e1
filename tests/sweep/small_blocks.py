"""The command line with blocks of a tenth of a second: ``small_blocks.py sweep FILE.toml ...``."""

from legatee.sweep import declare

SECONDS = 0.1  # so that a sweep of seconds has blocks enough to be interrupted in

if __name__ == "__main__":  # the processes of the pool import this file too
    from legatee.cli import main

    declare.BLOCK_SECONDS = SECONDS
    main()
