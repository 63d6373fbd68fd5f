"""Certificates of a CA of the tests' own, as files."""

from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, apart and in one file."""

    certfile: Path
    keyfile: Path
    both: Path


class Authority:
    """A CA. `cafile` has its certificate."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ca = trustme.CA()
        self.cafile = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.cafile)

    def issue(self, *names: str, common_name: str | None = None) -> Pair:
        """A certificate of these names."""
        issued = self._ca.issue_cert(*names, common_name=common_name)
        stem = (common_name or names[0]).replace("/", "-")
        pair = Pair(*(self._folder / f"{stem}.{kind}" for kind in ("crt", "key", "pem")))
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # Kafka takes no other format
        pair.certfile.write_bytes(issued.cert_chain_pems[0].bytes())
        pair.keyfile.write_bytes(key_pem)
        pair.both.write_bytes(key_pem + pair.certfile.read_bytes())
        return pair
