"""The certificate of the console: checked before it is used, and read again on a signal."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)


def context_of(certificate: Path, key: Path) -> ssl.SSLContext:
    """What a server needs for TLS 1.2 and 1.3.

    ValueError: they cannot be read as PEM, do not belong together, or the key has a password.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key, password=b"")
    except (OSError, ValueError) as exc:  # ssl.SSLError is an OSError
        raise ValueError(
            f"{certificate.name} and {key.name} are no certificate and its key, in PEM and without "
            f"a password ({getattr(exc, 'reason', None) or exc})"
        ) from exc
    return context


def why_not_valid(certificate: Path, key: Path, hosts: Sequence[str]) -> str:
    """Why a browser would refuse the certificate now, or for one of some hosts; empty when not.

    Whether browsers know its authority cannot be told here. Raises ValueError as
    :func:`context_of`.
    """
    server = context_of(certificate, key)
    for host in hosts or (None,):
        client = ssl.create_default_context(cafile=str(certificate))
        client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # without its authority
        client.check_hostname = host is not None
        try:
            _shake_hands(server, client, host)
        except ssl.SSLCertVerificationError as exc:
            return f"{certificate.name}: {exc.verify_message}"
    return ""


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, host: str | None) -> None:
    """Begin TLS in memory, up to where the client has verified the server."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(down, up, server_hostname=host),
        server.wrap_bio(up, down, server_side=True),
    )
    for end in (*ends, ends[0]):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue


class Certificate:
    """The certificate in use. `front` is the server's context, which hands over to the newest."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self._newest = context_of(certificate, key)
        self.front = context_of(certificate, key)
        self.front.sni_callback = self._hand_over

    def renew(self) -> None:
        """Read it again for connections from now on; what cannot be used is logged and left."""
        try:
            self._newest = context_of(*self._files)
        except ValueError as exc:
            log.error("the certificate is not renewed", trouble=str(exc))
        else:
            log.info("the certificate is read again", trouble=why_not_valid(*self._files, ()))

    def _hand_over(self, conn: ssl.SSLObject, name: str | None, front: ssl.SSLContext) -> None:
        conn.context = self._newest
