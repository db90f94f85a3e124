"""The one place that reads the environment.

Precedence: environment, then ``.env`` in the working directory, then the defaults below. With nothing set,
everything a run keeps lives under ``$SLIPSTREAM_HOME`` (default ``.slipstream/``), so two of them live side by side.
"""

from __future__ import annotations

import json
import os
import shlex
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from conf.errors import InputError, check_input

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class AppConfig(BaseSettings):
    """Settings of a Slipstream process.

    Every field is read from the environment variable of the same name in capitals (``KAFKA_PORT``,
    ``SLIPSTREAM_HOME`` …). One that is set to nothing, as ``KAFKA_PORT=``, is not set.

    Attributes:
        slipstream_home: Folder of the lake, broker data, MLflow store, jars, checkpoints and logs.
        kafka_bootstrap_servers: Broker list; unset means the local broker on ``kafka_port``.
        kafka_config: Further options of the Kafka clients as JSON, in librdkafka's names or Java's.
        kafka_security_protocol: How brokers are spoken to; with it ``kafka_sasl_…`` say who the client is, and
            ``kafka_ssl_…`` name PEM files: the authority to trust, the client's own certificate and key.
        kafka_retention_hours: How long topics keep messages; what the broker says if unset.
        bronze_retention_days: How long bronze keeps messages that silver has taken in; for ever if unset.
        mlflow_tracking_uri: Tracking server; unset means the local one on ``mlflow_port``.
        azure_storage_account: With an account set, table names resolve to ``abfss://`` in its container.
        data_root: Folder that `slipstream produce replay` takes files from where none are named.
        slipstream_data: Folder with real data files, for the tests that need them.
        alert_command: Command that is called with an alert as JSON on its standard input.
        alert_url: URL that an alert is posted to as JSON.
        alert_quarantine_pct: Share of units from which on their refusal is an alert, in per cent; none if unset.
        firebase_db_url: Realtime Database that `slipstream karma push` writes to, ``https://…firebaseio.com``.
        firebase_credentials: Key file of the service account that it writes as; a path, never the key itself.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8-sig",  # editors on Windows begin a file with a mark
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    slipstream_home: Path = Path(".slipstream")
    slipstream_data: Path | None = None
    slipstream_jars: Path | None = None
    data_root: Path | None = None

    kafka_bootstrap_servers: str | None = None
    kafka_port: int = Field(9092, ge=1, le=65535)
    kafka_controller_port: int = Field(9093, ge=1, le=65535)
    kafka_config: Annotated[dict[str, str], NoDecode] = Field(default_factory=dict, repr=False)
    kafka_security_protocol: SecurityProtocol | None = None
    kafka_sasl_mechanism: SaslMechanism | None = None
    kafka_sasl_username: str | None = Field(None, repr=False)
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca: Path | None = None
    kafka_ssl_certificate: Path | None = None
    kafka_ssl_key: Path | None = None
    kafka_ssl_key_password: SecretStr | None = None
    kafka_partitions: int = Field(4, ge=1)
    kafka_retention_hours: float | None = Field(None, gt=0)

    mlflow_tracking_uri: str | None = None
    mlflow_port: int = Field(5000, ge=1, le=65535)

    bronze_retention_days: int | None = Field(None, ge=1)

    azure_storage_account: str | None = None
    azure_storage_container: str = "slipstream"
    azure_storage_key: SecretStr | None = None

    alert_command: SecretStr | None = None
    alert_url: SecretStr | None = None
    alert_quarantine_pct: float | None = Field(None, ge=0, le=100)

    firebase_db_url: str | None = Field(None, repr=False)  # neither holds a secret, unless by mistake
    firebase_credentials: Path | None = Field(None, repr=False)

    spark_master: str | None = None
    pyspark_gateway_port: int | None = None
    spark_driver_memory: str = "4g"
    spark_shuffle_partitions: int = Field(4, ge=1)
    driver_max_samples: int = Field(600_000, ge=0)
    """A step over no more samples than this is done by the driver, without Spark jobs; 0 leaves all to Spark."""

    sim_rate_hz: float = Field(30.0, ge=10.0, le=50.0)
    style_threshold: float = Field(0.5, ge=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: Any) -> Any:
        """Settings that are set to something: an empty path would be the working directory."""
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if not (isinstance(value, str) and not value.strip())}

    @field_validator("kafka_security_protocol", "kafka_sasl_mechanism", mode="before")
    @classmethod
    def _upper(cls, given: Any) -> Any:
        """Names of protocols and mechanisms, which may be given in any case."""
        return given.strip().upper() if isinstance(given, str) else given

    @field_validator("slipstream_home", "slipstream_jars", "slipstream_data", "data_root")
    @classmethod
    def _expand_user(cls, given: Path | None) -> Path | None:
        """A path with ``~`` written out."""
        if given is None:
            return None
        try:
            return given.expanduser()
        except RuntimeError:
            raise ValueError(f"there is no user {given.parts[0]} here") from None

    @field_validator("alert_command")
    @classmethod
    def _check_command(cls, given: SecretStr | None) -> SecretStr | None:
        """A command is refused where it cannot be taken apart, and not only when it is needed."""
        if given is not None:
            split_command(given.get_secret_value())
        return given

    @field_validator("alert_url")
    @classmethod
    def _check_url(cls, given: SecretStr | None) -> SecretStr | None:
        """A URL is refused where nothing could be posted to it."""
        url = urlsplit(given.get_secret_value()) if given is not None else None
        if url is not None and (url.scheme not in ("http", "https") or not url.hostname):
            raise ValueError("is not of the form https://host/path")
        return given

    @field_validator("kafka_config", mode="before")
    @classmethod
    def _read_kafka_config(cls, given: Any) -> Any:
        """Options as JSON, as the environment has them; numbers and truth values may stand without quotes."""
        if not isinstance(given, str):
            return given
        wanted = 'give options as {"security.protocol": "SASL_SSL"}'
        try:
            options = json.loads(given)
        except json.JSONDecodeError as error:
            raise ValueError(f"is not JSON ({error.msg} at character {error.pos}): {wanted}") from None
        except RecursionError:
            raise ValueError(f"is not what it should be, but brackets within brackets: {wanted}") from None
        if not isinstance(options, dict):
            raise ValueError(f"is JSON, but not an object: {wanted}")
        return {
            name: json.dumps(value) if isinstance(value, bool | int | float) else value
            for name, value in options.items()
        }

    @property
    def launched_by_spark_submit(self) -> bool:
        """Whether ``spark-submit`` started this process, and so has configured Spark."""
        return self.pyspark_gateway_port is not None

    @property
    def home(self) -> Path:
        """Absolute path of ``slipstream_home``."""
        return self.slipstream_home.resolve()

    @property
    def jars_dir(self) -> Path:
        """Folder of the resolved Spark and Kafka jars: ``SLIPSTREAM_JARS``, else in this home."""
        return (self.slipstream_jars or self.slipstream_home / "jars").resolve()

    @property
    def logs_dir(self) -> Path:
        """Folder of all logs."""
        return self.home / "logs"

    @property
    def checkpoints_dir(self) -> str:
        """URI of the streaming checkpoints: beside the lake."""
        return f"{self.lake_root}/_checkpoints"

    @property
    def reports_dir(self) -> Path:
        """Folder of plots, summaries and Data Docs."""
        return self.home / "reports"

    @property
    def bootstrap(self) -> str:
        """Kafka bootstrap servers, the local broker by default."""
        return self.kafka_bootstrap_servers or f"127.0.0.1:{self.kafka_port}"

    @property
    def tracking_uri(self) -> str:
        """MLflow tracking URI, the local server by default."""
        return self.mlflow_tracking_uri or f"http://127.0.0.1:{self.mlflow_port}"

    @property
    def lake_root(self) -> str:
        """URI of the lake: ``abfss://`` when an Azure account is configured, else a local folder."""
        if self.azure_storage_account:
            host = f"{self.azure_storage_account}.dfs.core.windows.net"
            return f"abfss://{self.azure_storage_container}@{host}/lake"
        return str(self.home / "lake")


def split_command(text: str) -> list[str]:
    """Words of a command line, as a shell would take them apart.

    Raises:
        ValueError: If a quote is not closed.
    """
    return shlex.split(text, posix=os.name != "nt")


@lru_cache
def get_settings() -> AppConfig:
    """The process-wide settings, read once.

    Raises:
        InputError: If a setting cannot be used; the message names it and not its value, which may be a secret.
    """
    with check_input():
        try:
            return AppConfig()
        except UnicodeDecodeError:
            file = Path(".env").resolve()
            raise InputError(f"{file} is not UTF-8: save it so (PowerShell's > writes UTF-16)") from None
