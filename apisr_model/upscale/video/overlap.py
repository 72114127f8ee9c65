"""Reading, working and writing at the same time: read and write in a thread each, work in the caller's."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

# Pictures of 4K take 25 MB to 50 MB each: two waiting on either side keep all three busy.
_WAITING = 2
_LOOK_UP_S = 0.25  # so often a wait looks up, as Windows lets no Ctrl-C through before

Read = TypeVar("Read")
Worked = TypeVar("Worked")
Item = TypeVar("Item")


def overlap(
    read: Iterable[Read],
    work: Callable[[Read], Worked],
    write: Callable[[Worked], None],
) -> None:
    """`write(work(item))` for each item of `read`, in order, with two items at most waiting between any two.

    `read` is iterated in a thread and `write` is called in another; each ends before this returns. What any of the
    three raises, or a Ctrl-C here, stops the other two at their next item and is raised from here unchanged.
    """
    to_work: _Pipe[Read] = _Pipe()
    to_write: _Pipe[Worked] = _Pipe()
    failures: list[BaseException] = []

    def in_thread(run: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                run()
            except _Broken:
                pass
            except BaseException as error:  # noqa: BLE001 - it goes on in the caller's thread
                failures.append(error)
                to_work.break_off()
                to_write.break_off()

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def read_all() -> None:
        for item in read:
            to_work.put(item)
        to_work.end()

    def write_all() -> None:
        for item in to_write:
            write(item)

    threads = [in_thread(read_all), in_thread(write_all)]
    try:
        for item in to_work:
            to_write.put(work(item))
        to_write.end()
        _join(threads)  # a Ctrl-C here breaks off as one during the work does
    except _Broken:
        pass
    except BaseException:
        to_work.break_off()
        to_write.break_off()
        raise
    finally:
        while any(thread.is_alive() for thread in threads):
            with suppress(KeyboardInterrupt):  # one more: they stop at their next item anyway
                _join(threads)
    if failures:
        raise failures[0]


def _join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        while thread.is_alive():
            thread.join(_LOOK_UP_S)


class _Broken(Exception):  # noqa: N818 - not an error: another thread has it
    """Another thread stopped."""


class _Pipe(Generic[Item]):
    """A queue of a few items from one thread to one other, which either can break off."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._is_ended = self._is_broken = False

    def put(self, item: Item) -> None:
        with self._changed:
            self._wait(lambda: len(self._items) < _WAITING)
            self._items.append(item)
            self._changed.notify_all()

    def end(self) -> None:
        """No item follows."""
        with self._changed:
            self._is_ended = True
            self._changed.notify_all()

    def break_off(self) -> None:
        """Both ends stop, and what waits is dropped."""
        with self._changed:
            self._is_broken = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self._wait(lambda: bool(self._items) or self._is_ended)
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
            del item  # a picture must not stay while the next is awaited

    def _wait(self, until: Callable[[], bool]) -> None:
        while not (self._is_broken or until()):
            self._changed.wait(_LOOK_UP_S)
        if self._is_broken:
            raise _Broken
