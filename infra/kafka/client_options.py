"""Options of the two Kafka clients: librdkafka's (topics, producers) and Java's (Spark), from one set of settings.

They agree on most names and disagree on security: librdkafka takes a user, a password and paths of PEM files where
Java takes a JAAS sentence and stores. What is set is read into names of ours and written in each client's own;
``KAFKA_SECURITY_PROTOCOL`` and its like win over ``KAFKA_CONFIG``, which may be in either's names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from conf.errors import InputError
from conf.settings import AppConfig

_PLAIN_LOGIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM_LOGIN: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"
_LOGIN_OF: Final = {"PLAIN": _PLAIN_LOGIN, "SCRAM-SHA-256": _SCRAM_LOGIN, "SCRAM-SHA-512": _SCRAM_LOGIN}
"""Mechanisms with a user and a password, and Java's login module for each."""

_JAVA_NAMES: Final = {
    "fetch.wait.max.ms": "fetch.max.wait.ms",
    "message.max.bytes": "max.request.size",
    "socket.receive.buffer.bytes": "receive.buffer.bytes",
    "socket.send.buffer.bytes": "send.buffer.bytes",
}
"""What has two names, librdkafka's first."""
_JAVA_ONLY: Final = re.compile(
    r"""security\.providers|metric.*|interceptor\.classes|partitioner\..+|compression\..+\.level|internal\..*
    |default\.api\.timeout\.ms|max\.(poll\.records|block\.ms)|exclude\.internal\.topics|buffer\.memory
    |metadata\.max\.idle\.ms|socket\.connection\.setup\.timeout\.max\.ms|bootstrap\.controllers
    |sasl\.jaas\.config|sasl\.login\..*|sasl\.client\.callback\..*|sasl\.kerberos\.ticket\..*
    |sasl\.oauthbearer\.(assertion\.template|clock|expected|header|jwks|jwt|scope\.claim)\..*
    |ssl\.truststore\..*|ssl\.keystore\.(type|key|certificate\.chain)|ssl\.engine\..*|ssl\.enabled\.protocols
    |ssl\.(protocol|provider|(key|trust)manager\.algorithm|secure\.random\.implementation)""",
    re.VERBOSE,
)
"""What librdkafka does not know and would refuse."""
_LIBRDKAFKA_ONLY: Final = re.compile(
    r"""enable\.ssl\.certificate\.verification|sasl\.(mechanisms|username|password)
    |ssl\.(certificate|key)\.(location|pem)|ssl\.(ca|curves|sigalgs|cipher|crl)\..*|debug|log.*
    |sasl\.oauthbearer\.(config|method|client\..*|extensions)""",
    re.VERBOSE,
)
"""What Java does not know; Spark would show it in logs all the same."""
_SPARKS_OWN: Final = (
    "key.",
    "value.",
    "auto.offset.reset",
    "bootstrap.servers",
    "enable.auto.commit",
    "interceptor.classes",
)
"""What Spark sets itself and refuses from others."""


@dataclass(frozen=True, repr=False)
class KafkaSecurity:
    """How a client proves who it is and whom it trusts, in no client's names; ``None`` is the client's default.

    Attributes:
        protocol: ``PLAINTEXT``, ``SSL``, ``SASL_PLAINTEXT`` or ``SASL_SSL``.
        mechanism: ``PLAIN``, ``SCRAM-SHA-256``, ``SCRAM-SHA-512`` or another that ``KAFKA_CONFIG`` names.
        username: Of the mechanisms with a password.
        password: Theirs.
        ca: Certificates of the authorities trusted, PEM.
        certificate: The client's own chain, PEM.
        key: Its private key, PEM.
        key_password: The key's password.
        check_host: Whether the broker's certificate must be for the host it is reached at.
    """

    protocol: str | None = None
    mechanism: str | None = None
    username: str | None = None
    password: str | None = None
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: str | None = None
    check_host: bool | None = None

    @property
    def has_login(self) -> bool:
        """Whether a user and a password are given."""
        return self.username is not None and self.password is not None


def librdkafka_options(settings: AppConfig) -> dict[str, str]:
    """Options for the clients of ``confluent_kafka``, without the brokers' addresses.

    Raises:
        InputError: If the settings contradict each other, name a file that is not there, or hold a store that only
            Java can read.
    """
    given, security = dict(settings.kafka_config), read_security(settings)
    options = {name: value for name, value in given.items() if not _JAVA_ONLY.fullmatch(name)}
    for name, java_name in _JAVA_NAMES.items():
        if java_name in options:
            options[name] = options.pop(java_name)
    if security.ca is None and "ssl.truststore.location" in given:
        raise InputError(_store_message("ssl.truststore.location", "KAFKA_SSL_CA"))
    if security.certificate is None and "ssl.keystore.location" in given and _store_type(given, "keystore") == "JKS":
        raise InputError(_store_message("ssl.keystore.location", "KAFKA_SSL_CERTIFICATE and KAFKA_SSL_KEY"))
    _replace(options, r"sasl\.mechanisms")
    if security.ca is not None:
        _replace(options, r"ssl\.ca\..*")
    if security.certificate is not None:
        _replace(options, r"ssl\.(certificate|key|keystore)\..*")
    return options | _present(
        {
            "security.protocol": security.protocol,
            "sasl.mechanism": security.mechanism,
            "sasl.username": security.username,
            "sasl.password": security.password,
            "ssl.ca.pem": security.ca,
            "ssl.certificate.pem": security.certificate,
            "ssl.key.pem": security.key,
            "ssl.key.password": security.key_password,
            "ssl.endpoint.identification.algorithm": _choose(security.check_host, "https", "none"),
        }
    )


def java_options(settings: AppConfig) -> dict[str, str]:
    """Options for Java's clients, as Spark has them behind ``kafka.``, without the brokers' addresses.

    Certificates go as text: an executor on another machine has no such files.

    Raises:
        InputError: If the settings contradict each other, name a file that is not there, or ask for what Java cannot.
    """
    given, security = dict(settings.kafka_config), read_security(settings)
    if given.get("enable.ssl.certificate.verification", "true").strip().lower() not in ("true", "t", "1"):
        raise InputError(
            "KAFKA_CONFIG: enable.ssl.certificate.verification=false is known to topics and producers only, not to "
            "Spark's client; set KAFKA_SSL_CA to the certificate of the authority that signed the broker's"
        )
    if security.key is not None and "RSA PRIVATE KEY" in security.key:
        raise InputError(
            "the client's key is in the form PKCS#1, which Spark's client cannot read: "
            "openssl pkcs8 -topk8 -nocrypt -in KEY -out client-key.pem, and set KAFKA_SSL_KEY to that"
        )
    options = {
        name: value
        for name, value in given.items()
        if not _LIBRDKAFKA_ONLY.fullmatch(name) and not name.startswith(_SPARKS_OWN)
    }
    for name, java_name in _JAVA_NAMES.items():
        if name in options:
            options[java_name] = options.pop(name)
    if security.has_login:
        options.pop("sasl.jaas.config", None)
    if security.ca is not None:
        _replace(options, r"ssl\.truststore\..*")
    if security.certificate is not None:
        _replace(options, r"ssl\.keystore\..*")
    elif "ssl.keystore.location" in options:
        options.setdefault("ssl.keystore.type", _store_type(given, "keystore"))
    return options | _present(
        {
            "security.protocol": security.protocol,
            "sasl.mechanism": security.mechanism,
            "sasl.jaas.config": _jaas_config(security),
            "ssl.truststore.type": security.ca and "PEM",
            "ssl.truststore.certificates": security.ca,
            "ssl.keystore.type": security.certificate and "PEM",
            "ssl.keystore.certificate.chain": security.certificate,
            "ssl.keystore.key": security.key,
            "ssl.key.password": security.key_password,
            "ssl.endpoint.identification.algorithm": _choose(security.check_host, "https", ""),
        }
    )


def read_security(settings: AppConfig) -> KafkaSecurity:
    """What is set about security: by settings of ours, else in ``KAFKA_CONFIG``, in either client's names.

    Raises:
        InputError: If what is set is not enough, or names a file that cannot be read; the message says which.
    """
    given = settings.kafka_config
    jaas_user, jaas_password = _read_jaas(given.get("sasl.jaas.config"))
    password, key_password = map(_reveal, (settings.kafka_sasl_password, settings.kafka_ssl_key_password))
    host = given.get("ssl.endpoint.identification.algorithm")
    security = KafkaSecurity(
        protocol=settings.kafka_security_protocol or _upper(given, "security.protocol"),
        mechanism=settings.kafka_sasl_mechanism or _upper(given, "sasl.mechanism") or _upper(given, "sasl.mechanisms"),
        username=_first(settings.kafka_sasl_username, given.get("sasl.username"), jaas_user),
        password=_first(password, given.get("sasl.password"), jaas_password),
        ca=_pem(settings.kafka_ssl_ca, given, "KAFKA_SSL_CA", ("ca", "truststore"), "certificates"),
        certificate=_pem(
            settings.kafka_ssl_certificate,
            given,
            "KAFKA_SSL_CERTIFICATE",
            ("certificate", "keystore"),
            "certificate.chain",
        ),
        key=_pem(settings.kafka_ssl_key, given, "KAFKA_SSL_KEY", ("key", "keystore"), "key"),
        key_password=_first(key_password, given.get("ssl.key.password")),
        check_host=None if host is None else host.lower() not in ("", "none"),
    )
    _check_complete(security)
    return security


def _check_complete(security: KafkaSecurity) -> None:
    if (security.username is None) != (security.password is None):
        missing = "KAFKA_SASL_PASSWORD" if security.password is None else "KAFKA_SASL_USERNAME"
        raise InputError(f"{missing} is not set, and of user and password neither does without the other")
    if security.has_login and security.mechanism is None:
        raise InputError(f"KAFKA_SASL_MECHANISM is not set; with a user and a password it is {_any_of(_LOGIN_OF)}")
    if security.mechanism in _LOGIN_OF and not security.has_login:
        raise InputError(f"{security.mechanism} needs a user: set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD")
    if security.has_login and not (security.protocol or "").startswith("SASL_"):
        found = security.protocol or "not set"
        raise InputError(
            f"KAFKA_SECURITY_PROTOCOL is {found}; with a user and a password it is SASL_SSL, or SASL_PLAINTEXT without "
            "encryption"
        )
    if (security.protocol or "").startswith("SASL_") and security.mechanism is None:
        raise InputError(f"KAFKA_SASL_MECHANISM is not set; it is {_any_of(_LOGIN_OF)}")
    if (security.certificate is None) != (security.key is None):
        missing = "KAFKA_SSL_KEY" if security.key is None else "KAFKA_SSL_CERTIFICATE"
        raise InputError(f"{missing} is not set, and of certificate and key neither does without the other")


def _pem(
    path: Path | None, given: Mapping[str, str], setting: str, names: tuple[str, str], java_text: str
) -> str | None:
    """A PEM text: of the setting's file, else as either client is given it, as text or as the path of a file."""
    librdkafka, store = names
    if path is not None:
        return _read_pem(path, setting)
    for name in (f"ssl.{librdkafka}.pem", f"ssl.{store}.{java_text}"):
        if given.get(name):
            return given[name]
    if location := given.get(f"ssl.{librdkafka}.location"):
        return None if location == "probe" else _read_pem(Path(location), f"KAFKA_CONFIG: ssl.{librdkafka}.location")
    if (location := given.get(f"ssl.{store}.location")) and given.get(f"ssl.{store}.type", "").upper() == "PEM":
        return _read_pem(Path(location), f"KAFKA_CONFIG: ssl.{store}.location")
    return None


def _read_pem(path: Path, setting: str) -> str:
    path = path.expanduser()
    if path.is_dir():
        raise InputError(f"{setting}: {path} is a folder; name a PEM file")
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a PEM file"
        raise InputError(f"{setting}: {path} cannot be read: {why}") from None
    if "-----BEGIN " not in text:
        raise InputError(f"{setting}: {path} is not a PEM file: it has no line '-----BEGIN …'")
    return text


def _jaas_config(security: KafkaSecurity) -> str | None:
    if not security.has_login:
        return None
    module = _LOGIN_OF.get(security.mechanism or "")
    if module is None:
        raise InputError(f"KAFKA_SASL_MECHANISM: with a user and a password it is {_any_of(_LOGIN_OF)}")
    user, password = _quote(security.username or ""), _quote(security.password or "")
    return f"{module} required username={user} password={password};"


_ESCAPES: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_UNESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_JAAS_VALUE: Final = r"""{name}\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s;"']+))"""


def _quote(value: str) -> str:
    """A value of a JAAS sentence, as Java reads it back."""
    return '"' + "".join(_ESCAPES.get(character, character) for character in value) + '"'


def _read_jaas(sentence: str | None) -> tuple[str | None, str | None]:
    """User and password of a JAAS sentence; of another kind of login neither, and the sentence stays Java's alone."""
    if sentence is None or not any(module in sentence for module in (_PLAIN_LOGIN, _SCRAM_LOGIN)):
        return None, None
    user, password = (_jaas_value(sentence, name) for name in ("username", "password"))
    if user is None or password is None:
        raise InputError('KAFKA_CONFIG: sasl.jaas.config has no username="…" and password="…"')
    return user, password


def _jaas_value(sentence: str, name: str) -> str | None:
    found = re.search(r"(?<![\w.])" + _JAAS_VALUE.format(name=name), sentence)
    if found is None:
        return None
    quoted = _first(found[1], found[2])
    if quoted is None:
        return found[3]
    return re.sub(r"\\(.)", lambda escaped: _UNESCAPES.get(escaped[1], escaped[1]), quoted)


def _store_type(given: Mapping[str, str], store: str) -> str:
    """Form of a store: as it is said, else by its file's name; librdkafka's own is PKCS#12."""
    default = "JKS" if given[f"ssl.{store}.location"].lower().endswith(".jks") else "PKCS12"
    return given.get(f"ssl.{store}.type", default).upper()


def _store_message(name: str, setting: str) -> str:
    return (
        f"KAFKA_CONFIG: {name} is a store of Java's, which topics and producers cannot read: write its certificates as "
        f"PEM (keytool -list -rfc, or openssl pkcs12) and set {setting} to that file"
    )


def _replace(options: dict[str, str], pattern: str) -> None:
    """Take out what is written anew."""
    for name in [name for name in options if re.fullmatch(pattern, name)]:
        del options[name]


def _present(options: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in options.items() if value is not None}


def _choose(flag: bool | None, yes: str, no: str) -> str | None:
    return None if flag is None else yes if flag else no


def _upper(given: Mapping[str, str], name: str) -> str | None:
    return given.get(name, "").strip().upper() or None


def _reveal(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _first(*values: str | None) -> str | None:
    return next((value for value in values if value is not None), None)


def _any_of(names: Mapping[str, object]) -> str:
    *some, last = names
    return f"{', '.join(some)} or {last}"
