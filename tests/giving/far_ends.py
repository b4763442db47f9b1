"""The far ends of giving: a real SMTP server (aiosmtpd), and a push service that checks VAPID and decrypts as a browser would,
written from the RFCs with nothing of ours."""

from __future__ import annotations

import asyncio
import base64
import datetime
import email
import email.policy
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID


def certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(server's, client's) contexts of a certificate made for these names."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    today = datetime.datetime.now(datetime.UTC)
    alternatives = [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, SHA256())
    )  # fmt: skip
    pem = folder / "far-end.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


# --- e-mail


@dataclass
class MailServer:
    """What it took, and what it is to say: `answers` are given to RCPT or DATA, one each, before it takes letters."""

    letters: list[tuple[list[str], EmailMessage, bytes]] = field(default_factory=list)
    to_recipient: list[str] = field(default_factory=list)
    to_data: list[str] = field(default_factory=list)
    users: dict[str, str] = field(default_factory=dict)
    signed_in: list[str] = field(default_factory=list)
    secure: list[bool] = field(default_factory=list)
    cut_after_data: int = 0
    held: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    tries: int = 0
    port: int = 0
    smtp: SMTP | None = None

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]) -> str:  # fmt: skip
        if self.to_recipient:
            return self.to_recipient.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.tries += 1
        self.begun.set()
        if self.held is not None:
            await self.held.wait()
        if self.to_data:
            return self.to_data.pop(0)
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.letters.append((envelope.rcpt_tos, message, envelope.content))
        self.secure.append(session.ssl is not None)
        if self.cut_after_data:  # taken, and the answer is lost
            self.cut_after_data -= 1
            server.transport.abort()
        return "250 taken"

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object) -> AuthResult:  # fmt: skip
        login, password = data.login.decode(), data.password.decode()  # type: ignore[attr-defined]
        good = self.users.get(login) == password
        if good:
            self.signed_in.append(login)
        return AuthResult(success=good, handled=good)


@asynccontextmanager
async def mail_server(tls: ssl.SSLContext | None = None, *, users: dict[str, str] | None = None, port: int = 0) -> AsyncIterator[MailServer]:  # fmt: skip
    """Runs in this loop; with `tls` it wants STARTTLS, with `users` a sign-in."""
    made = MailServer(users=users or {})

    def protocol() -> SMTP:
        made.smtp = SMTP(made, hostname="mail.test", tls_context=tls, require_starttls=tls is not None,
                         auth_required=bool(users), authenticator=made.authenticate, timeout=20, loop=asyncio.get_running_loop())  # fmt: skip
        return made.smtp

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


# --- web push


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Browser:
    """The receiving side of RFC 8291: a key pair and a secret; what it can't decrypt raises."""

    def __init__(self, private: bytes | None = None, auth: bytes = b"0123456789abcdef") -> None:
        self.key = (
            ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1()) if private
            else ec.generate_private_key(ec.SECP256R1())
        )  # fmt: skip
        self.auth = auth
        self.public = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def subscription(self, endpoint: str) -> dict[str, object]:
        return {"endpoint": endpoint, "keys": {"p256dh": encoded(self.public), "auth": encoded(self.auth)}}

    def decrypt(self, body: bytes) -> bytes:
        salt, size, length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender, records = body[21 : 21 + length], body[21 + length :]
        assert length == 65
        assert len(records) <= size, "more than one record"
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self.key.exchange(ec.ECDH(), theirs)
        info = b"WebPush: info\x00" + self.public + sender
        material = HKDF(SHA256(), 32, self.auth, info).derive(shared)
        key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\x00").derive(material)
        nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\x00").derive(material)
        plain = AESGCM(key).decrypt(nonce, records, None).rstrip(b"\x00")
        assert plain.endswith(b"\x02"), "not the last record"
        return plain[:-1]


def vapid_claims(authorization: str) -> dict[str, object]:
    """The claims of a header whose signature holds. Raises InvalidSignature."""
    scheme, _, rest = authorization.partition(" ")
    assert scheme == "vapid"
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    header, claims, signature = parts["t"].split(".")
    assert json.loads(decoded(header)) == {"typ": "JWT", "alg": "ES256"}
    raw = decoded(signature)
    if len(raw) != 64:
        raise InvalidSignature
    signed = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(parts["k"]))
    key.verify(signed, f"{header}.{claims}".encode(), ec.ECDSA(SHA256()))
    found = json.loads(decoded(claims))
    assert isinstance(found, dict)
    return found


@dataclass
class Pushed:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class PushService:
    """Takes pushes over TLS; `answers` come first, then 201."""

    port: int = 0
    pushed: list[Pushed] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    say: Callable[[str], bytes] | None = None

    def endpoint(self, name: str = "abc") -> str:
        return f"https://push.test:{self.port}/push/{name}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
            first, *rest = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.pushed.append(Pushed(first.split(" ")[1], headers, body))
            answer = self.answers.pop(0) if self.answers else "201 Created"
            if answer == "silence":
                await asyncio.sleep(30)
            writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()


@asynccontextmanager
async def push_service(tls: ssl.SSLContext) -> AsyncIterator[PushService]:
    """Runs in this loop."""
    made = PushService()
    serving: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        await made.serve(reader, writer)

    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await server.wait_closed()
