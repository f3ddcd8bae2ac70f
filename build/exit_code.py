"""What a command ends with: what went wrong is told in a line, and not as a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from build.errors import BuildError
from build.interrupts import INTERRUPTED


def exit_code(run: Callable[[], int]) -> int:
    """Run a command: its own code, or the one of what went wrong, which is told."""
    try:
        code = run()
        sys.stdout.flush()
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Harmless: whoever reads has read enough; what Python still holds has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        # Here, so that --help does without pydantic.
        from models.damage import DamagedError

        if not isinstance(error, DamagedError):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    return code
