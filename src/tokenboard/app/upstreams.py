"""Builds a gateway's upstreams and attribution options from the settings."""

import asyncio
import os
from pathlib import Path

from tokenboard.attribution import AttributionOptions, AttributionRule
from tokenboard.config import ConfigError, Settings
from tokenboard.config.settings import Upstream as UpstreamSettings
from tokenboard.gateway import (
    EchoUpstream,
    ForwardAttribution,
    HttpUpstream,
    PassRule,
    Timeouts,
    Upstream,
    UpstreamDialect,
    Upstreams,
    UpstreamSpec,
)

PROBE_WITHIN_S = 10.0
"""How long an upstream may take to list its models when it is checked, in seconds."""


def attribution_options(settings: Settings) -> AttributionOptions:
    """Return the rules of attribution that the settings ask for.

    Raises:
        ConfigError: a rule could never give an app.

    """
    given = settings.attribution
    try:
        rules = tuple(
            AttributionRule(
                url=rule.url, key_label=rule.key_label, user_agent_prefix=rule.user_agent_prefix, title=rule.title
            )
            for rule in given.rule
        )
    except ValueError as error:
        raise ConfigError(f"[[attribution.rule]]: {error}") from error
    return AttributionOptions(browser_referer=given.browser_referer, rules=rules)


def open_upstreams(settings: Settings, base_url: str, data: Path) -> Upstreams:
    """Return the upstreams in order: the echo first, as no other may have its model's name."""
    names = [upstream.name for upstream in settings.upstream]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"[[upstream]]: two are named {twice!r}; give each a name of its own")
    default = settings.gateway.default_upstream
    if default and default not in names:
        raise ConfigError(f"[gateway] default_upstream: no [[upstream]] is named {default!r}; there are: {names}")
    board = ((b"http-referer", base_url.encode("ascii", "ignore")), (b"x-title", b"tokenboard"))
    opened: list[Upstream] = [EchoUpstream()] if settings.gateway.echo else []
    fallback: Upstream | None = None
    for given in settings.upstream:
        try:
            upstream = HttpUpstream(_spec(given, settings, data), board)
        except ValueError as error:
            raise ConfigError(f"[[upstream]] {given.name}: {error}") from error
        opened.append(upstream)
        fallback = upstream if given.name == default else fallback
    return Upstreams(opened, fallback, failover=settings.gateway.failover)


async def probe_upstreams(settings: Settings, data: Path) -> list[tuple[str, str | None]]:
    """Ask every configured upstream for its list of models; return each one's name and its fault, or None."""
    upstreams = open_upstreams(settings, "http://localhost", data)
    try:
        return await asyncio.gather(*(_probe(upstream) for upstream in upstreams))
    finally:
        await upstreams.aclose()


async def _probe(upstream: Upstream) -> tuple[str, str | None]:
    try:
        async with asyncio.timeout(PROBE_WITHIN_S):
            return upstream.name, await upstream.probe()
    except TimeoutError:
        return upstream.name, f"it gave no list of models within {PROBE_WITHIN_S:.0f} s. See whether it is overloaded."


def _file(named: str, data: Path) -> Path | None:
    """Return the path of a file that a setting names, relative to the data folder; None for an empty setting."""
    return data / Path(named).expanduser() if named else None


def _spec(given: UpstreamSettings, settings: Settings, data: Path) -> UpstreamSpec:
    # A key read from a file into the environment often ends with a line break.
    api_key = os.environ.get(given.api_key_env, "").strip() if given.api_key_env else None
    if given.api_key_env and not api_key:
        raise ConfigError(
            f"[[upstream]] {given.name}: the environment variable {given.api_key_env} is not set; "
            "export it with the upstream's key, or leave api_key_env out when there is none"
        )
    if api_key and not (api_key.isascii() and api_key.isprintable()):
        raise ConfigError(f"[[upstream]] {given.name}: the value of {given.api_key_env} is no key: not printable ASCII")
    gateway = settings.gateway
    return UpstreamSpec(
        name=given.name,
        base_url=given.base_url,
        api_key=api_key,
        models=given.models,
        strip_prefix=given.strip_prefix,
        include_usage=given.include_usage,
        dialect=UpstreamDialect(given.dialect),
        headers=given.headers,
        forward_attribution=ForwardAttribution(given.forward_attribution),
        timeouts=Timeouts(
            connect_s=given.connect_timeout_s or gateway.connect_timeout_s,
            first_byte_s=given.first_byte_timeout_s or gateway.first_byte_timeout_s,
            idle_s=given.idle_timeout_s or gateway.idle_timeout_s,
        ),
        max_connections=given.max_connections or gateway.max_connections,
        tls_ca_file=_file(given.tls_ca_file, data),
        tls_verify=given.tls_verify,
        tls_cert_file=_file(given.tls_cert_file, data),
        tls_key_file=_file(given.tls_key_file, data),
        query=given.query,
        passthrough=tuple(PassRule.parse(text) for text in given.passthrough),
    )
