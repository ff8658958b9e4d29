"""A subject of our own that answers at once: it measures what the pipe itself costs."""

from __future__ import annotations

import sys

from bitgoeul.targets.pipe import GREETING, HEAD

COLUMNS_OUT = 10


def main() -> None:
    """Answer every question with zeros until the input closes."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(GREETING)
    sink.flush()
    while head := source.read(HEAD.size):
        number, rows, columns = HEAD.unpack(head)
        source.read(4 * rows * columns)
        sink.write(HEAD.pack(number, rows, COLUMNS_OUT) + bytes(4 * rows * COLUMNS_OUT))
        sink.flush()


if __name__ == "__main__":
    main()
