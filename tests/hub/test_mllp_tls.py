"""TLS at the MLLP port: real certificates, real handshakes."""

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.errors import Permanent
from hub.listener import tls
from hub.models import ExceptionCase
from tests.hub.door_kit import Client, code, dft, endpoint, free_port, listening, stored

pytestmark = pytest.mark.django_db(transaction=True)


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.path = folder / f"{name}.pem"
        made = self._builder(self.name, self.key).add_extension(x509.BasicConstraints(True, None), critical=True)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        self.certificate = made.add_extension(usage, critical=True).sign(self.key, hashes.SHA256())
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )

    def issue(self, name: str) -> dict[str, str]:
        """A certificate and its key, as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key)
        made = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(self.key, hashes.SHA256())
        paths = {"certificate": self.folder / f"{name}.crt", "key": self.folder / f"{name}.key"}
        paths["certificate"].write_bytes(made.public_bytes(serialization.Encoding.PEM))
        paths["key"].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return {name: str(path) for name, path in paths.items()}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the certificates of these tests."""
    return Authority(tmp_path_factory.mktemp("ca"), "authority")


def trusting(authority: Authority, own: dict[str, str] | None = None) -> ssl.SSLContext:
    """A sender's context, with a certificate of its own where one is given."""
    context = ssl.create_default_context(cafile=str(authority.path))
    if own:
        context.load_cert_chain(own["certificate"], own["key"])
    return context


def test_F_M8_a_port_with_a_certificate_speaks_tls_and_nothing_else(authority):
    """Over TLS a message is taken; plain text at the same port is cut off and nothing of it is stored."""
    port = free_port()
    endpoint(port=port, settings={"tls": authority.issue("localhost")})
    with listening(first_byte_s=2.0):
        with Client(port, tls=trusting(authority)) as client:
            assert client.socket.version() in {"TLSv1.2", "TLSv1.3"}
            assert code(client.ask(dft("M1"))) == "AA M1"
        with Client(port) as plain:
            plain.send(dft("M2"))
            assert b"MSA" not in plain.socket.recv(1000)
    assert stored() == {"received": 1}


def test_F_M8_old_tls_is_not_spoken(authority):
    """TLS 1.2 is the least."""
    files = tls.files({**authority.issue("localhost")})
    assert files is not None
    assert tls.context(files).minimum_version == ssl.TLSVersion.TLSv1_2


def let_in(port: int, context: ssl.SSLContext) -> bool:
    """Whether a message is answered; with TLS 1.3 a client learns only from its first read that it was refused."""
    try:
        with Client(port, tls=context) as client:
            return bool(client.ask(dft("M1")))
    except (ssl.SSLError, ConnectionError):
        return False


def test_F_M8_with_a_client_authority_nobody_comes_in_without_its_certificate(authority, tmp_path):
    """mTLS: no certificate, or one of another authority, ends in the handshake; ours is let in."""
    port = free_port()
    endpoint(port=port, settings={"tls": {**authority.issue("localhost"), "client_ca": str(authority.path)}})
    stranger = Authority(tmp_path, "stranger").issue("carebill.example")
    with listening():
        assert not let_in(port, trusting(authority))
        assert not let_in(port, trusting(authority, stranger))
        with Client(port, tls=trusting(authority, authority.issue("carebill.example"))) as client:
            assert code(client.ask(dft("M2"))) == "AA M2"
    assert stored() == {"received": 1}


def test_F_M8_a_certificate_speaks_only_for_its_own_sender(authority):
    """A valid certificate of one partner does not carry the messages of another: AR, kept, and a case."""
    port = free_port()
    server = {**authority.issue("localhost"), "client_ca": str(authority.path)}
    endpoint(
        port=port,
        sending_application="CAREBILL",
        settings={"tls": {**server, "client_names": ["carebill.example"]}},
    )
    endpoint("lab", port=port, sending_application="LAB", settings={"tls": {"client_names": ["lab.example"]}})
    with listening(), Client(port, tls=trusting(authority, authority.issue("lab.example"))) as client:
        assert code(client.ask(dft("M1", app="LAB"))) == "AA M1"
        assert code(client.ask(dft("M2", app="CAREBILL"))) == "AR M2"
    assert stored() == {"received": 1, "refused": 1}
    assert ExceptionCase.objects.get().code == "IF_UNKNOWN_SENDER"


def test_F_M8_a_port_whose_certificate_cannot_be_used_stays_closed(authority, tmp_path):
    """A missing or broken file never falls back to plain text; other ports open."""
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    ports = [free_port() for _ in range(3)]
    endpoint("missing", port=ports[0], settings={"tls": {"certificate": str(tmp_path / "none"), "key": ""}})
    endpoint("broken", port=ports[1], settings={"tls": {"certificate": str(broken), "key": str(broken)}})
    endpoint("good", port=ports[2], settings={"tls": authority.issue("localhost")})
    with listening():
        for port in ports[:2]:
            with pytest.raises(ConnectionRefusedError):
                Client(port)
        with Client(ports[2], tls=trusting(authority)) as client:
            assert code(client.ask(dft("M1"))) == "AA M1"


def test_a_certificate_setting_that_names_no_file_says_which(tmp_path):
    """The error names the path and what follows from it."""
    with pytest.raises(Permanent, match="none"):
        tls.files({"certificate": str(tmp_path / "none")})
