"""The page served on a port of this machine, until it is closed."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

from gradio.route_utils import DEFAULT_TEMP_DIR
from starlette.middleware import Middleware

from apisr_data.errors import UsageError
from apisr_model.demo import page
from apisr_model.demo.gate import Gate, is_loopback
from apisr_model.demo.handlers import Handlers
from apisr_model.demo.jobs import Jobs
from apisr_model.demo.limits import Limits
from apisr_model.demo.room import Room
from apisr_model.demo.shelf import Shelf

FIRST_PORT, _PORTS = 7860, 100
_EVENTS_AT_A_TIME = 40
_UPLOADS_KEPT = 4
"""Of the largest size: more make the oldest go."""
_LOOPBACK = "localhost,127.0.0.1,::1"


@contextmanager
def serving(
    shelf: Shelf, limits: Limits, *, host: str = "127.0.0.1", port: int | None = None, share: bool = False
) -> Iterator[str]:
    """Serve the page while the block lasts; yields its address. Nothing of what visitors brought outlasts it.

    Without a `port` the first free one from 7860 on. `share` also opens a tunnel to a public address of Gradio's
    makers, by a program of theirs that is fetched; nothing else here reaches beyond this machine.

    Raises:
        UsageError: the port is taken, the host is not this machine's, or the tunnel cannot be opened.
    """
    chosen = _free_port(host, port)
    with ExitStack() as closing:
        closing.enter_context(_without_empty_folders())
        most_bytes = limits.max_upload_mb * 10**6
        room = Room(limits.keep_minutes * 60, _UPLOADS_KEPT * most_bytes)
        closing.callback(room.close)
        heavy, light = (Jobs(waiting=limits.queue, longest_s=limits.max_minutes * 60) for _ in range(2))
        closing.callback(light.close)
        closing.callback(heavy.close)
        closing.enter_context(_environment(room))
        built = page.build(Handlers(shelf, limits, room, heavy, light))
        built.queue(max_size=_EVENTS_AT_A_TIME, api_open=False, default_concurrency_limit=None)
        closing.callback(built.close, verbose=False)
        is_private = is_loopback(host) and not share
        gate = Middleware(Gate, room=room, max_upload_bytes=most_bytes, is_private=is_private)
        _, _, public = built.launch(
            server_name=f"[{host}]" if ":" in host else host,
            server_port=chosen,
            share=share,
            prevent_thread_lock=True,
            quiet=True,
            inbrowser=False,
            show_error=False,
            max_file_size=most_bytes,
            max_threads=_EVENTS_AT_A_TIME + 2 * limits.queue,
            app_kwargs={"middleware": [gate], "docs_url": None, "redoc_url": None, "openapi_url": None},
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            mcp_server=False,
            pwa=False,
            theme=page.theme(),
            css=page.css(),
            js=page.script(),
        )
        if share and not public:
            raise UsageError("--share: no tunnel could be opened; is there a network? Without --share the page works")
        yield public or f"http://{_reachable(host)}:{chosen}/"


@contextmanager
def _environment(room: Room) -> Iterator[None]:
    """What Gradio takes from the environment alone."""
    no_proxy = ",".join(filter(None, (os.environ.get("no_proxy", os.environ.get("NO_PROXY")), _LOOPBACK)))
    wanted = {
        "GRADIO_TEMP_DIR": str(room.path),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "no_proxy": no_proxy,  # it asks its own address whether it is there
        "NO_PROXY": no_proxy,
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _without_empty_folders() -> Iterator[None]:
    """Gradio makes folders in the system's temporary folder for a feature that is off: remove those that are new."""
    history = Path(DEFAULT_TEMP_DIR) / "vibe_edit_history"
    new = [folder for folder in (history, history.parent) if not folder.exists()]
    try:
        yield
    finally:
        for folder in new:
            with suppress(OSError):  # another's files are in it by now
                folder.rmdir()


def _reachable(host: str) -> str:
    """The host as a browser takes it; of all addresses of this machine, the one it has in its network."""
    with suppress(ValueError):
        if ip_address(host).is_unspecified:
            is_6 = ":" in host
            family, elsewhere = (socket.AF_INET6, "2001:db8::1") if is_6 else (socket.AF_INET, "192.0.2.1")
            try:
                with socket.socket(family, socket.SOCK_DGRAM) as probe:
                    probe.connect((elsewhere, 9))  # chooses a way and sends nothing
                    host = probe.getsockname()[0]
            except OSError:  # in no network
                host = socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _free_port(host: str, port: int | None) -> int:
    first = port or FIRST_PORT
    free = next((number for number in range(first, min(first + _PORTS, 65536)) if _is_free(host, number)), None)
    if free is None:
        raise UsageError(f"no port from {first} to {first + _PORTS - 1} is free on {host}; choose another --port")
    if port is not None and free != port:
        raise UsageError(f"port {port} is taken on {host}; {free} is free: --port {free}")
    return free


def _is_free(host: str, port: int) -> bool:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name != "nt":  # where it would let two listen
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except PermissionError:
        return False
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        raise UsageError(f"--host {host}: {error.strerror or error}") from None
    return True
