"""Threads beside a stream: one reads ahead, others each do one thing to every piece, in order.

- Hashes, sockets and files let other threads run while they work, so lanes share the cores.
- Few pieces wait in a lane: whoever is faster waits, and memory stays flat.
- The first megabyte takes no thread: most files are no larger, and not worth one.
- What went wrong with a piece comes out at a later one or at `finish`; those in between are dropped.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

PIECE_BYTES = 1024 * 1024
_WAITING = 2


class _Beside:
    """A thread that starts when it is needed and ends with the block."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def _started(self) -> ThreadPoolExecutor:
        self._thread = self._thread or ThreadPoolExecutor(1)
        return self._thread


class Lane(_Beside):
    """Does one thing to each piece."""

    def __init__(self, act: Callable[[bytes], object]) -> None:
        super().__init__()
        self._act, self._sound, self._seen = act, True, 0
        self._behind: deque[Future[None]] = deque()

    def __enter__(self) -> "Lane":
        return self

    def put(self, piece: bytes) -> None:
        """Take the next piece. Raises what an earlier one, or this one, raised."""
        self._seen += len(piece)
        if self._seen <= PIECE_BYTES:
            self._do(piece)
            return
        if len(self._behind) == _WAITING:
            self._behind.popleft().result()
        self._behind.append(self._started().submit(self._do, piece))

    def finish(self) -> None:
        """Wait for the last piece. Raises as `put` does."""
        while self._behind:
            self._behind.popleft().result()

    def _do(self, piece: bytes) -> None:
        if self._sound:
            self._sound = False
            self._act(piece)
            self._sound = True


class Ahead(_Beside):
    """Reads at most `limit` bytes, ahead of who takes them."""

    def __init__(self, read: Callable[[int], bytes], limit: int) -> None:
        super().__init__()
        self._read, self._left = read, limit
        self._coming: deque[Future[bytes]] = deque()
        self._full = False

    def __enter__(self) -> "Ahead":
        return self

    def take(self) -> bytes:
        """Give the next piece; empty at the end. Raises what reading it raised."""
        if self._thread is None and not self._full:
            return self._next()
        while len(self._coming) <= _WAITING:
            self._coming.append(self._started().submit(self._next))
        return self._coming.popleft().result()

    def _next(self) -> bytes:
        piece = self._read(min(PIECE_BYTES, self._left)) if self._left else b""
        self._left -= len(piece)
        self._full = len(piece) == PIECE_BYTES
        return piece
