"""HTTP/1 as TGI's server takes it where uvicorn would do otherwise: what is refused before it is a request.

Both refusals are empty and close the connection. The routes know nothing of them.
"""

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADERS = 100


class Http(HttpToolsProtocol):
    """uvicorn's parser with a limit on the number of headers, and TGI's answers to what it refuses."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header.

        Raises:
            HttpParserError: it is one too many.
        """
        super().on_header(name, value)
        if len(self.headers) > MAX_HEADERS:
            raise httptools.HttpParserError("too many headers")

    def send_400_response(self, msg: str) -> None:
        """Refuse what has come. An answer that is still on its way is cut off, as by uvicorn."""
        too_many = self.headers is not None and len(self.headers) > MAX_HEADERS
        status = "431 Request Header Fields Too Large" if too_many else "400 Bad Request"
        answer = f"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        self.transport.write(answer.encode())
        self.transport.close()
