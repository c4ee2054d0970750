"""Every setting, its default and its meaning; ``docs/settings.md`` is checked against this file."""

from datetime import date
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from tokenboard.config.values import CorsOrigin, EmbeddedOrServerDsn, HeaderFields, RedisUrl, VariableName, WebUrl

GIB = 1024**3
MIB = 1024**2


class Section(BaseModel):
    """A section refuses names it does not know, and is not changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_what_only_looks_like_it(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false where a number is meant, and a number where a date is: pydantic would take them."""
        wanted = cls.model_fields[str(info.field_name)].annotation
        if wanted in (int, float, int | None, float | None) and isinstance(value, bool):
            raise ValueError("must be a number, not true or false")
        if wanted is bool and isinstance(value, (int, float)) and not isinstance(value, bool):
            raise ValueError("must be true or false, not a number")
        if wanted is date and isinstance(value, (int, float)):
            raise ValueError("must be a date such as 2025-01-31, not a number")
        return value


class Server(Section):
    """Where the program listens and how it speaks to its operator."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8787, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    gateways: int | Literal["auto"] = Field(
        "auto", ge=1, le=64, description="Gateway processes; auto: one for each core but one, 8 at most."
    )
    base_url: WebUrl = Field("", description="Public URL of the board; empty: made of host and port.")
    shutdown_grace_s: float = Field(30.0, ge=0, description="Seconds that open answers may take to finish at SIGTERM.")
    max_connections: int = Field(10_000, ge=1, description="Connections of clients; further ones are told 503.")
    max_header_bytes: int = Field(65_536, ge=1_024, description="Bytes of one request's headers, else 431.")
    max_headers: int = Field(200, ge=1, description="Headers of one request, else 431.")
    header_timeout_s: float = Field(10.0, gt=0, description="Seconds for a request's headers to arrive, else 408.")
    body_timeout_s: float = Field(30.0, gt=0, description="Seconds for each KiB of a request's body, else 408.")
    keep_alive_s: float = Field(75.0, gt=0, description="Seconds a connection is kept open between two requests.")
    log: Literal["auto", "json", "plain"] = Field("auto", description="Form of the log; auto: plain at a terminal.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")


class Catalog(Section):
    """Apps, keys, audit log."""

    url: str = Field(
        "",
        description="`postgresql+psycopg://USER@HOST/DATABASE`, or `sqlite:///FILE`; "
        "empty: `catalog.sqlite` in the data folder.",
    )
    password_env: VariableName = Field(
        "", description="Name of the environment variable that holds the password for PostgreSQL."
    )
    password_file: str = Field(
        "", description="File that holds the password for PostgreSQL; read for each new connection, so it may change."
    )
    timeout_s: float = Field(
        10.0, gt=0, le=600, description="Seconds that its database may take to connect, to give a lock, to answer."
    )
    connect_timeout_s: float | None = Field(
        None, gt=0, le=600, description="Seconds for a connection to PostgreSQL to be made; none: `timeout_s`."
    )
    lock_timeout_s: float | None = Field(
        None, gt=0, le=600, description="Seconds that PostgreSQL waits for a lock; none: `timeout_s`."
    )
    statement_timeout_s: float | None = Field(
        None, gt=0, le=600, description="Seconds that a statement may take in PostgreSQL; none: `timeout_s`."
    )
    idle_in_transaction_s: float = Field(
        60.0, gt=0, le=3600, description="Seconds after which PostgreSQL ends a transaction of which nothing is heard."
    )
    pool_size: int = Field(15, ge=1, le=500, description="Connections to PostgreSQL at most, of one board.")
    pool_timeout_s: float | None = Field(
        None, gt=0, le=600, description="Seconds to wait for one of these to be free; none: `timeout_s`."
    )

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password_env and self.password_file:
            raise ValueError("has both password_env and password_file; leave one out")
        return self


class Ledger(Section):
    """All usage."""

    dsn: EmbeddedOrServerDsn = Field(
        "",
        description="`chdb:///FOLDER` (embedded, absolute folder) or `clickhouse://USER@HOST:8123/DATABASE`; "
        "empty: `ledger` in the data folder.",
    )
    password_env: VariableName = Field("", description="Name of the environment variable with the server's password.")
    password_file: str = Field("", description="File with the server's password, as containers are given secrets.")
    cluster: str = Field("", description="The cluster, as the server's `remote_servers` names it; empty: one node.")
    timeout_s: float = Field(
        30.0, gt=0, le=600, description="Seconds that whoever asks for a page or for data waits for it."
    )
    raw_retention_days: int = Field(0, ge=0, description="Days for which single events are kept at least; 0: for ever.")

    @model_validator(mode="after")
    def _one_server(self) -> Self:
        given = [name for name in ("cluster", "password_env", "password_file") if getattr(self, name)]
        if given and not self.dsn.startswith("clickhouse"):
            raise ValueError(f"has {given[0]} without a dsn of a server; write clickhouse://USER@HOST:8123/DATABASE")
        try:
            in_dsn = bool(urlsplit(self.dsn).password)
        except ValueError:
            in_dsn = False  # what is wrong with it is told when it is used, and never quoted
        if in_dsn + bool(self.password_env) + bool(self.password_file) > 1:
            raise ValueError("has more than one password among dsn, password_env and password_file; leave one")
        return self


class Spool(Section):
    """The durable queue in front of the ledger."""

    folder: str = Field("", description="Folder of the queue; empty: `spool` in the data folder.")
    max_bytes: int = Field(GIB, ge=1_000, description="Bytes waiting at which new requests are refused with 503.")
    fsync: bool = Field(True, description="Whether an answered request survives a power cut, not only kill -9.")
    seen_days: int = Field(7, ge=1, le=90, description="Days for which an id sent to POST /usage is remembered.")


class Gateway(Section):
    """The data plane."""

    max_body: int = Field(64 * MIB, ge=1_000, description="Largest request body, in bytes.")
    on_disconnect: Literal["cancel", "drain"] = Field(
        "cancel", description="When a client leaves mid-stream: cancel the upstream, or drain it to its end."
    )
    echo: bool = Field(True, description="Whether the built-in model `tokenboard/echo` is offered.")
    default_upstream: str = Field("", description="Name of the upstream that gets models which no glob matches.")
    drain_timeout_s: float = Field(300.0, gt=0, description="Seconds for which an upstream is drained at most.")
    send_timeout_s: float = Field(60.0, gt=0, description="Seconds a client may take nothing of its answer.")
    failover: bool = Field(True, description="Whether the next upstream that serves the model is asked when one fails.")
    connect_timeout_s: float = Field(10.0, gt=0, description="Seconds to wait for a connection to an upstream.")
    first_byte_timeout_s: float = Field(600.0, gt=0, description="Seconds to wait for an upstream's first byte.")
    idle_timeout_s: float = Field(300.0, gt=0, description="Seconds an upstream may be silent in mid-answer.")
    max_connections: int = Field(1000, ge=1, description="Connections to one upstream at most.")


class Upstream(Section):
    """One server that speaks the OpenAI or the Anthropic API."""

    name: str = Field(min_length=1, max_length=100, description="Provider name, as kept with each use.")
    base_url: WebUrl = Field(
        description="URL up to, and without, `/chat/completions`; such as https://api.example.com/v1."
    )
    api_key_env: VariableName = Field("", description="Name of the environment variable that holds the upstream's key.")
    models: tuple[str, ...] = Field(("*",), description="Globs over the model names clients use.")
    strip_prefix: bool = Field(False, description="Whether `prefix/` of a model's name is cut off on the way up.")
    include_usage: bool = Field(True, description="Whether streams ask it for usage (`stream_options.include_usage`).")
    dialect: Literal["openai", "anthropic"] = Field(
        "openai", description="How it is sent its key: `Authorization: Bearer`, or Anthropic's `x-api-key`."
    )
    headers: HeaderFields = Field({}, description="Further request headers for this upstream; their values are secret.")
    query: dict[str, str] = Field(
        {}, description="Query parameters of every request to it, such as Azure's `api-version`; values are secret."
    )
    passthrough: tuple[str, ...] = Field(
        (), description='Calls beside inference that are relayed to it as they are, such as `"POST /rerank"`.'
    )
    forward_attribution: Literal["pass", "replace", "drop"] = Field(
        "pass", description="The client's attribution headers: passed on, replaced by the board's own, or dropped."
    )
    connect_timeout_s: float | None = Field(None, gt=0, description="As in `[gateway]`, for this upstream alone.")
    first_byte_timeout_s: float | None = Field(None, gt=0, description="As in `[gateway]`, for this upstream alone.")
    idle_timeout_s: float | None = Field(None, gt=0, description="As in `[gateway]`, for this upstream alone.")
    max_connections: int | None = Field(None, ge=1, description="As in `[gateway]`, for this upstream alone.")
    tls_ca_file: str = Field("", description="PEM file of the authorities to trust instead of the system's.")
    tls_verify: bool = Field(
        True, description="Whether its certificate is checked; turn it off only to try things out."
    )
    tls_cert_file: str = Field(
        "", description="PEM file of our own certificate and its chain, for an upstream that asks for one."
    )
    tls_key_file: str = Field(
        "", description="PEM file of its private key, without a passphrase; empty when `tls_cert_file` holds it too."
    )

    @model_validator(mode="after")
    def _one_authorization(self) -> Self:
        for_key = "Authorization" if self.dialect == "openai" else "X-Api-Key"
        if self.api_key_env and any(name.lower() == for_key.lower() for name in self.headers):
            raise ValueError(f"has both api_key_env and a header {for_key}; leave one out")
        return self

    @model_validator(mode="after")
    def _tls_makes_sense(self) -> Self:
        if self.tls_ca_file and not self.tls_verify:
            raise ValueError("has both tls_ca_file and tls_verify = false; leave one out")
        if self.tls_key_file and not self.tls_cert_file:
            raise ValueError("has a tls_key_file without a tls_cert_file; name the certificate too")
        if (self.tls_ca_file or not self.tls_verify) and not self.base_url.startswith("https:"):
            raise ValueError("has tls_ca_file or tls_verify, but its base_url does not use https")
        if self.tls_cert_file and not self.base_url.startswith("https:"):
            raise ValueError("has a tls_cert_file, but its base_url does not use https")
        return self


class Rule(Section):
    """An app for clients that cannot set headers; used only when the headers give nothing."""

    url: str = Field(description="The app's URL.")
    key_label: str | None = Field(None, description="Label of the key the client uses.")
    user_agent_prefix: str | None = Field(None, description="Beginning of the client's User-Agent.")
    title: str | None = Field(None, description="The app's name.")


class Attribution(Section):
    """Which app a request belongs to."""

    floor: date = Field(date(2025, 1, 1), description="First UTC day of the dataset.")
    new_app_limit: int = Field(100, ge=0, description="New apps a day that one key may create; 0: any number.")
    title_policy: Literal["latest", "first"] = Field(
        "latest", description="Which title names an app: the latest by event time, or the first."
    )
    browser_referer: bool = Field(
        False, description="Whether the browser's own Referer counts, by origin, as a last resort."
    )
    rule: tuple[Rule, ...] = Field((), description="Rules for clients that cannot set headers.")


class Rankings(Section):
    """The figures kept in memory, from which rankings are answered."""

    memory_budget: int = Field(
        GIB // 2, ge=0, description="Bytes that the figures may take; past it they are kept more sparsely."
    )


class DataApi(Section):
    """The Data API."""

    cors: CorsOrigin = Field(
        "", description="Access-Control-Allow-Origin of data and inference, `*` or one; empty: not sent."
    )
    requests_per_minute: int = Field(30, ge=0, description="Requests for data a minute that one key may make; 0: any.")
    requests_per_day: int = Field(
        500, ge=0, description="Requests for data a UTC day that one account may make; 0: any."
    )


class Pages(Section):
    """The pages."""

    visibility: Literal["public", "key", "off"] = Field(
        "public", description="Who may read the pages: everybody, holders of a key with the scope `data`, or nobody."
    )
    title: str = Field("tokenboard", min_length=1, max_length=60, description="What the board is called.")


class Shared(Section):
    """What several boards share beside their stores."""

    redis: RedisUrl = Field(
        "",
        description="`redis://HOST:PORT/DB`, where boards share rate limits and sessions; empty: each its own.",
    )
    password_env: VariableName = Field("", description="Name of the environment variable that holds its password.")
    password_file: str = Field("", description="File that holds its password instead, as containers are given secrets.")
    prefix: str = Field("tokenboard", min_length=1, max_length=100, description="What every key in it begins with.")
    timeout_s: float = Field(0.5, gt=0, le=30, description="Seconds that it may take to connect, and to answer.")

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if (self.password_env or self.password_file) and not self.redis:
            raise ValueError("has a password without redis; name the server too")
        if bool(urlsplit(self.redis).password) + bool(self.password_env) + bool(self.password_file) > 1:
            raise ValueError("has more than one password among redis, password_env and password_file; leave one")
        return self


class Board(Section):
    """The board, for a gateway on another machine."""

    url: WebUrl = Field("", description="URL of the board that `tokenboard gateway` belongs to; empty: this folder's.")
    key_env: VariableName = Field(
        "TOKENBOARD_GATEWAY_KEY", description="Name of the environment variable that holds the gateway's key."
    )
    key_file: str = Field("", description="File that holds the gateway's key instead; read anew when it is refused.")
    connect_timeout_s: float = Field(10.0, gt=0, le=600, description="Seconds to wait for a connection to the board.")
    answer_timeout_s: float = Field(
        30.0, gt=0, le=600, description="Seconds the board may take to answer, beyond the time for which it is to wait."
    )
    max_snapshot_age_s: float = Field(
        0.0, ge=0, description="Seconds without a word of the board after which inference is refused; 0: never."
    )
    tls_ca_file: str = Field("", description="PEM file of the authorities to trust instead of the system's.")
    tls_verify: bool = Field(
        True, description="Whether its certificate is checked; turn it off only to try things out."
    )
    tls_cert_file: str = Field(
        "", description="PEM file of our own certificate and its chain, where a proxy before the board asks for one."
    )
    tls_key_file: str = Field(
        "", description="PEM file of its private key, without a passphrase; empty when `tls_cert_file` holds it too."
    )

    @model_validator(mode="after")
    def _tls_makes_sense(self) -> Self:
        if self.tls_ca_file and not self.tls_verify:
            raise ValueError("has both tls_ca_file and tls_verify = false; leave one out")
        if self.tls_key_file and not self.tls_cert_file:
            raise ValueError("has a tls_key_file without a tls_cert_file; name the certificate too")
        return self


class Settings(Section):
    """All settings. Files and folders left empty lie in the data folder, and relative ones are relative to it."""

    server: Server = Server()
    catalog: Catalog = Catalog()
    ledger: Ledger = Ledger()
    spool: Spool = Spool()
    gateway: Gateway = Gateway()
    board: Board = Board()
    upstream: tuple[Upstream, ...] = ()
    attribution: Attribution = Attribution()
    rankings: Rankings = Rankings()
    data_api: DataApi = DataApi()
    pages: Pages = Pages()
    shared: Shared = Shared()

    def catalog_url(self, data: Path) -> str:
        """Return the catalog's URL: its default in ``data``, a relative SQLite file made absolute."""
        if not self.catalog.url:
            return f"sqlite:///{data / 'catalog.sqlite'}"
        driver, separator, file = self.catalog.url.partition(":///")
        relative = separator and driver.startswith("sqlite") and not file.startswith(("/", ":", "file:", "?"))
        return f"{driver}:///{data / file}" if relative and file else self.catalog.url

    def ledger_dsn(self, data: Path) -> str:
        """Return the ledger's DSN, with its default in ``data``."""
        return self.ledger.dsn or f"chdb://{data / 'ledger'}"

    def spool_folder(self, data: Path) -> Path:
        """Return the spool's folder: its default in ``data``, a relative one made absolute."""
        return data / (Path(self.spool.folder).expanduser() if self.spool.folder else "spool")
