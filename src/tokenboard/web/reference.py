"""The API's reference: what an OpenAPI 3.1 document says, in the order and the words of a page.

    document ─▶ operations (parameters, body, answers, errors, an example) by tag, and the schemas that several share

Reads what our document uses of OpenAPI and JSON Schema 2020-12: objects, arrays, references within the document,
``anyOf`` for what may be one of several kinds.
"""

import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

Schema = Mapping[str, Any]
Heading = Callable[[str, str], str]

_REF = "#/components/schemas/"
_ERRORS = {f"{_REF}Error", f"{_REF}MessagesError"}
_METHODS = ("get", "put", "post", "delete")
_NULL = {"type": "null"}
_FORMATS = {"date": "date", "date-time": "time", "decimal": "decimal string", "binary": "bytes"}
_FEW_MEMBERS = 2
"""An object with no more members is described where it is used, however often that is."""


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, a member of an object, or a whole body.

    ``kind`` is what it is, in words; ``place`` names, within it, the schema described in a place of its own, else it
    is empty. ``facts`` are limits, whether it may be left out, its default. ``allowed`` are its values when these are
    all there are.
    """

    name: str
    kind: str
    place: str = ""
    facts: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    description: str = ""
    members: tuple["Field", ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent, one way or the other; ``forms`` are media types, ``field`` None where JSON is none of them.

    ``status`` is an answer's, empty for a body; so are ``headers``.
    """

    forms: tuple[str, ...]
    field: Field | None
    status: str = ""
    description: str = ""
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """``path`` is the whole path; ``scope`` what its key needs, empty for any, None for no key at all.

    ``errors`` are the statuses described for this operation beside those that every one may have. ``example`` is a
    command for a shell.
    """

    name: str
    method: str
    path: str
    summary: str
    description: str
    scope: str | None
    parameters: tuple[Field, ...]
    body: Content | None
    answers: tuple[Content, ...]
    errors: tuple[str, ...]
    example: str


@dataclass(frozen=True, slots=True)
class Group:
    """The operations under one heading."""

    heading: str
    operations: tuple[Operation, ...]

    @property
    def anchor(self) -> str:
        """What the heading is called in an address."""
        return self.heading.lower().replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Reference:
    """``shared`` are the schemas that several operations use; ``everywhere`` the errors that every operation may have.

    ``errors`` says what each status means, ``error`` is the shape that all have but those below ``/messages``, whose
    shape is ``messages_error``.
    """

    groups: tuple[Group, ...]
    shared: tuple[Field, ...]
    error: Field
    messages_error: Field
    errors: Mapping[str, str]
    everywhere: tuple[str, ...]


def read_reference(document: Mapping[str, Any], base_url: str, heading: Heading) -> Reference:
    """Return the reference of a board at ``base_url``.

    ``heading`` says, of an operation's tag and whole path, under which heading it is described; empty leaves it out.
    """
    return _Reader(document, base_url, heading).read()


class _Reader:
    def __init__(self, document: Mapping[str, Any], base_url: str, heading: Heading) -> None:
        self._document = document
        self._base_url = base_url
        self._heading = heading
        self._schemas: Mapping[str, Schema] = document["components"]["schemas"]
        self._shared = self._find_shared()

    def read(self) -> Reference:
        grouped: dict[str, list[Operation]] = {}
        everywhere = set.intersection(*(_refused(given) for _, _, given in self._operations()))
        for path, method, given in self._operations():
            if heading := self._heading(given["tags"][0], path):
                grouped.setdefault(heading, []).append(self._operation(path, method, given, everywhere))
        errors = {
            status: answer["description"]
            for _, _, given in self._operations()
            for status, answer in given["responses"].items()
            if _is_error(answer)
        }
        return Reference(
            tuple(Group(heading, tuple(operations)) for heading, operations in grouped.items()),
            tuple(self._field(name, self._schemas[name]) for name in sorted(self._shared)),
            self._field("", self._schemas["Error"]),
            self._field("", self._schemas["MessagesError"]),
            dict(sorted(errors.items())),
            tuple(sorted(everywhere)),
        )

    # -- operations

    def _operations(self) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
        """Yield whole path, method and content of every operation, in the document's order."""
        for path, item in self._document["paths"].items():
            servers = item.get("servers", self._document["servers"])
            for method in _METHODS:
                if method in item:
                    yield servers[0]["url"].rstrip("/") + path, method, item[method]

    def _operation(self, path: str, method: str, given: Mapping[str, Any], everywhere: set[str]) -> Operation:
        security = given.get("security", self._document["security"])
        scopes = [scope for each in security for named in each.values() for scope in named]
        body = given.get("requestBody")
        return Operation(
            name=given["operationId"],
            method=method.upper(),
            path=path,
            summary=given["summary"],
            description=_sentence(given),
            scope=", ".join(scopes) if security else None,
            parameters=tuple(self._parameter(each) for each in given.get("parameters", ())),
            body=None if body is None else self._content(body["content"]),
            answers=tuple(
                self._content(
                    answer.get("content", {}),
                    status=status,
                    description=answer["description"],
                    headers=tuple(answer.get("headers", ())),
                )
                for status, answer in given["responses"].items()
                if not _is_error(answer)
            ),
            errors=tuple(sorted(_refused(given) - everywhere)),
            example=self._command(path, method, given, with_key=bool(security)),
        )

    def _parameter(self, given: Mapping[str, Any]) -> Field:
        needed = "required" if given["required"] and given["in"] != "path" else ""
        schema = {"description": given.get("description", ""), **given["schema"]}
        return self._field(given["name"], schema, facts=(given["in"], needed))

    def _content(self, content: Mapping[str, Any], **rest: Any) -> Content:
        schema = content.get("application/json", {}).get("schema")
        return Content(tuple(content), None if schema is None else self._field("", schema), **rest)

    # -- schemas

    def _field(self, name: str, schema: Schema, *, facts: Iterable[str] = ()) -> Field:
        while "$ref" in schema and (target := _target(schema)) not in self._shared:
            schema = {**self._schemas[target], **{key: value for key, value in schema.items() if key != "$ref"}}
        kinds = [each for each in schema.get("anyOf", ()) if each != _NULL]
        if len(kinds) == 1:
            # Something, or null.
            said = {key: schema[key] for key in ("description", "default") if key in schema}
            inner = self._field(name, {**kinds[0], **said}, facts=facts)
            return replace(inner, kind=f"{inner.kind} or null")
        inner = self._inside(schema)
        return Field(
            name,
            self._kind(schema),
            inner.place,
            tuple(filter(None, (*facts, *_limits(schema), _value(schema)))),
            tuple(map(_text, schema.get("enum", inner.allowed))),
            _sentence(schema),
            self._members(schema) or inner.members,
        )

    def _inside(self, schema: Schema) -> Field:
        """Return what an array holds, or the shared schema that is referred to."""
        if "$ref" in schema:
            return Field("", _target(schema), place=_target(schema))
        if "items" in schema:
            return self._field("", schema["items"])
        return Field("", "")

    def _kind(self, schema: Schema) -> str:
        if "$ref" in schema:
            return _target(schema)
        if "anyOf" in schema:
            return " or ".join(self._field("", each).kind for each in schema["anyOf"])
        types = schema.get("type", "anything")
        if types == "array":
            return f"array of {self._field('', schema['items']).kind}" if "items" in schema else "array"
        if isinstance(types, list):
            return " or ".join(types)
        return _FORMATS.get(schema.get("format", ""), str(types))

    def _members(self, schema: Schema) -> tuple[Field, ...]:
        needed = schema.get("required", ())
        return tuple(
            self._field(name, member, facts=() if name in needed else ("optional",))
            for name, member in schema.get("properties", {}).items()
        )

    def _find_shared(self) -> frozenset[str]:
        """Return the schemas described in a place of their own: large ones used twice, and what holds itself."""
        used, shared = Counter[str](), set[str]()

        def walk(node: Any, above: tuple[str, ...]) -> None:
            if isinstance(node, list):
                for each in node:
                    walk(each, above)
            elif isinstance(node, Mapping):
                if "$ref" in node:
                    meet(_target(node), above)
                for key, each in node.items():
                    if key not in _VALUES:
                        walk(each, above)

        def meet(name: str, above: tuple[str, ...]) -> None:
            used[name] += 1
            large = len(self._schemas[name].get("properties", ())) > _FEW_MEMBERS
            if name in above or (large and used[name] > 1):
                shared.add(name)
            else:
                walk(self._schemas[name], (*above, name))

        for path, _, given in self._operations():
            if self._heading(given["tags"][0], path):
                answers = [answer for answer in given["responses"].values() if not _is_error(answer)]
                walk([given.get("parameters", []), given.get("requestBody", {}), answers], ())
        return frozenset(shared)

    # -- examples

    def _command(self, path: str, method: str, given: Mapping[str, Any], *, with_key: bool) -> str:
        parameters = given.get("parameters", ())
        shown = {
            each["name"]: _text(self._example(each["schema"]))
            for each in parameters
            if each["required"] or "examples" in each["schema"]
        }
        asked = {each["name"]: shown.pop(each["name"]) for each in parameters if _is_asked(each, shown)}
        for name, value in shown.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        url = self._base_url + path + (f"?{urlencode(asked, safe=',:/')}" if asked else "")
        # What has a body is a POST to curl, all else a GET.
        implied = "post" if "requestBody" in given else "get"
        verb = "" if method == implied else f"-X {method.upper()} "
        lines = [f"curl -s {verb}{shlex.quote(url)}"]
        if with_key:
            lines.append('-H "Authorization: Bearer $TOKENBOARD_KEY"')
        if "requestBody" in given:
            body = self._example(given["requestBody"]["content"]["application/json"]["schema"])
            lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}"]
        return " \\\n  ".join(lines)

    def _example(self, schema: Schema) -> Any:
        """Return a value that the schema takes: its own first example, or the simplest."""
        if "$ref" in schema:
            return self._example(self._schemas[_target(schema)])
        for values in ("examples", "enum"):
            if values in schema:
                return schema[values][0]
        for value in ("const", "default"):
            if value in schema:
                return schema[value]
        if "anyOf" in schema:
            return self._example(schema["anyOf"][0])
        match schema.get("type"):
            case "object":
                needed = schema.get("required", ())
                return {name: self._example(schema["properties"][name]) for name in needed}
            case "array":
                return [self._example(schema["items"])] if "items" in schema else []
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return True
            case _:
                return "text"


_VALUES = {"examples", "default", "enum", "const"}


def _target(schema: Schema) -> str:
    return str(schema["$ref"]).removeprefix(_REF)


def _is_asked(parameter: Mapping[str, Any], shown: Mapping[str, str]) -> bool:
    return parameter["in"] == "query" and parameter["name"] in shown


def _is_error(answer: Mapping[str, Any]) -> bool:
    content = answer.get("content", {}).get("application/json", {})
    return bool(content.get("schema", {}).get("$ref") in _ERRORS)


def _refused(given: Mapping[str, Any]) -> set[str]:
    return {status for status, answer in given["responses"].items() if _is_error(answer)}


def _limits(schema: Schema) -> Iterator[str]:
    yield _between(schema.get("minimum"), schema.get("maximum"), "")
    yield _between(schema.get("minLength"), schema.get("maxLength"), " characters")
    yield _between(schema.get("minItems"), schema.get("maxItems"), " items")


def _between(least: int | None, most: int | None, unit: str) -> str:
    if most is None:
        # That a count is not negative, or a text not empty, goes without saying.
        return "" if least is None or least <= 1 else f"{least:,} or more{unit}"
    if least == most:
        return f"{most:,}{unit}"
    return f"up to {most:,}{unit}" if least is None else f"{least:,}–{most:,}{unit}"


def _value(schema: Schema) -> str:
    if "const" in schema:
        return f"always {_text(schema['const'])}"
    default = schema.get("default")
    return "" if default in (None, "") else f"default {_text(default)}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _sentence(schema: Schema) -> str:
    """Return a schema's description on one line; docstrings come with line breaks and doubled marks of code."""
    return " ".join(str(schema.get("description", "")).replace("``", "`").split())
