"""Mosquitto beyond one machine: TLS on both listeners."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.credentials import Credentials
from broker.mosquitto import Tls, write_mosquitto_config
from broker.mosquitto_process import start_mosquitto
from delivery.link import Address, Link
from tests.broker.stage import AGENT, free_ports
from tests.broker.wire import connect_packet


def _certificate(folder: Path) -> Tls:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    found = Tls(folder / "broker.crt", folder / "broker.key")
    found.certfile.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    found.keyfile.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return found


def test_both_listeners_speak_tls_and_only_tls(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path / "credentials.json")
    hello = connect_packet("agent-a1", "agent-a1", credentials.issue(AGENT))
    tls = _certificate(tmp_path)
    tcp_port, ws_port = free_ports(2)
    write_mosquitto_config(tmp_path, "ginza", credentials, tcp_port=tcp_port, ws_port=ws_port, tls=tls)
    trust = ssl.create_default_context(cafile=str(tls.certfile))
    with start_mosquitto(tmp_path):
        with (
            socket.create_connection(("127.0.0.1", tcp_port), 5) as plain,
            trust.wrap_socket(plain, server_hostname="localhost") as line,
        ):
            line.sendall(hello)
            assert line.recv(4) == b"\x20\x02\x00\x00"
        with (
            socket.create_connection(("127.0.0.1", ws_port), 5) as plain,
            trust.wrap_socket(plain, server_hostname="localhost") as line,
        ):
            assert line.version() in ("TLSv1.2", "TLSv1.3")
        with socket.create_connection(("127.0.0.1", tcp_port), 5) as plain:
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                plain.sendall(hello)
                answer = plain.recv(4)
            assert not answer.startswith(b"\x20")


async def test_a_certificate_that_this_machine_does_not_trust_is_said(tmp_path: Path) -> None:
    """Not "no broker": the installer has to install it."""
    credentials = Credentials(tmp_path / "credentials.json")
    password = credentials.issue(AGENT)
    tcp_port, ws_port = free_ports(2)
    write_mosquitto_config(
        tmp_path, "ginza", credentials, tcp_port=tcp_port, ws_port=ws_port, tls=_certificate(tmp_path)
    )
    said: asyncio.Queue[str] = asyncio.Queue()
    where = Address("localhost", tcp_port, AGENT.username, password, tls=True)
    link = Link(where, [], will=None, on_up=lambda: None, on_down=said.put_nowait, on_wake=lambda: None)
    with start_mosquitto(tmp_path):
        running = asyncio.create_task(link.run())
        try:
            async with asyncio.timeout(30):
                assert "does not trust the certificate of the broker" in await said.get()
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
