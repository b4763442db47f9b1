"""A simulated mail server: takes letters over SMTP (RFC 5321) on a port of this machine and keeps them. No sign-in, no TLS.

`await server.open()` listens, `close()` ends. `letters`: the recipients and the message of each, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
from email.message import EmailMessage

__all__ = ["MailServer", "text_of"]

LETTERS_MAX = 100_000
SILENT_S = 60.0
LINE_MAX_BYTES = 1 << 20


class MailServer:
    """Of a store's members, all of them."""

    def __init__(self) -> None:
        self.port = 0
        self.letters: list[tuple[list[str], EmailMessage]] = []
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Raises OSError."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=LINE_MAX_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await self._talk(reader, writer)
        writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.test ready\r\n")
        recipients: list[str] = []
        while True:
            async with asyncio.timeout(SILENT_S):
                line = (await reader.readuntil(b"\r\n")).decode("utf-8", "replace").strip()
            match line.split(maxsplit=1)[0].upper() if line else "":
                case "EHLO" | "HELO":
                    writer.write(b"250-mail.test\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n")
                case "MAIL" | "RSET":
                    recipients = []
                    writer.write(b"250 OK\r\n")
                case "RCPT":
                    recipients.append(line.partition(":")[2].strip().strip("<>"))
                    writer.write(b"250 OK\r\n")
                case "DATA":
                    writer.write(b"354 go on\r\n")
                    async with asyncio.timeout(SILENT_S):
                        self._take(recipients, await reader.readuntil(b"\r\n.\r\n"))
                    writer.write(b"250 taken\r\n")
                case "NOOP":
                    writer.write(b"250 OK\r\n")
                case "QUIT":
                    writer.write(b"221 bye\r\n")
                    await writer.drain()
                    return
                case _:
                    writer.write(b"502 not known\r\n")

    def _take(self, recipients: list[str], data: bytes) -> None:
        content = b"\r\n".join(line.removeprefix(b".") for line in data[:-5].split(b"\r\n"))
        message = email.message_from_bytes(content, policy=email.policy.default)
        if len(self.letters) < LETTERS_MAX and isinstance(message, EmailMessage):
            self.letters.append((recipients, message))


def text_of(message: EmailMessage) -> str:
    """What stands in a letter, without its pictures."""
    body = message.get_body(("plain",))
    return str(body.get_content()) if body is not None else ""
