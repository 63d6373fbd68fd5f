"""Makes TLS contexts from PEM files, and says what is wrong with such files, or with a connection.

No error repeats what is in a file.
"""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass

_OTHER_NAME = frozenset({62, 64})  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH


@dataclass(frozen=True, slots=True)
class Tls:
    """Says how a client checks a server's certificate, and which certificate of its own it shows.

    Without `cafile` the system's certificates are trusted. The key may be in `certfile`, behind the certificate.
    """

    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    checks_certificate: bool = True
    checks_hostname: bool = True

    def context(self) -> ssl.SSLContext:
        """Returns a context for connections of a client; reads the files. Raises OSError, ValueError."""
        context = ssl.create_default_context(cafile=self.cafile)
        context.check_hostname = self.checks_certificate and self.checks_hostname
        if not self.checks_certificate:
            context.verify_mode = ssl.CERT_NONE
        if self.certfile is not None:
            context.load_cert_chain(self.certfile, self.keyfile, _refuse_to_decrypt)
        return context


def check_certificates(path: str) -> None:
    """Raises ValueError unless the file holds a certificate; settings call it for each file that must."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise ValueError("no certificate in it") from None
    except OSError:
        raise ValueError("cannot be read") from None


def check_key(certfile: str, keyfile: str | None) -> None:
    """Raises ValueError unless the file holds the key of the certificate in the other file, or in the same for None."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certfile, keyfile, _refuse_to_decrypt)
    except ssl.SSLError as error:
        # OpenSSL has a reason for a key that does not fit, and none for a file without a key
        raise ValueError("not the key of the certificate" if error.reason else "no private key in it") from None
    except OSError:
        raise ValueError("cannot be read") from None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error, and what caused it, in turn: libraries hide the reason behind errors of their own."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def tls_remedy(error: BaseException, ca_setting: str, name_setting: str, certificate_setting: str) -> str | None:
    """Returns what an operator can do about an error that TLS is the cause of, else None."""
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            if cause.verify_code in _OTHER_NAME:
                return f"its certificate is of another name ({cause.verify_message}): {name_setting}"
            return f"its certificate is not trusted ({cause.verify_message}): {ca_setting} must have its CA"
        if isinstance(cause, ssl.SSLError) and "ALERT" in (cause.reason or ""):
            return f"it refuses our certificate, or wants one: {certificate_setting}"
        if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
            return "it speaks no TLS at this port"
    return None


def _refuse_to_decrypt() -> str:
    # without this function OpenSSL would ask for the passphrase on the terminal, and wait
    raise ValueError("its key has a passphrase, which nobody can give")
