"""The API's reference, made of its OpenAPI document; what operators ask of it has a page of its own."""

from tokenboard.web.asked import Asked
from tokenboard.web.frame import Form, Frame, twins
from tokenboard.web.pages.page import Page
from tokenboard.web.reference import read_reference
from tokenboard.web.services import WebServices
from tokenboard.web.view import View

PATH = "/docs/api"
ADMIN_PATH = "/docs/api/admin"
ADMIN_TAG = "Admin"

_JSON = (Form.JSON,)


def _api(services: WebServices, asked: Asked) -> View:  # noqa: ARG001 - every page is given what was asked
    return _view(
        services,
        Frame(
            title="API reference",
            description="Every operation of this board's API: parameters, bodies, answers, errors, limits, examples.",
            address=PATH,
            section="docs",
            twins=twins(PATH, forms=_JSON),
        ),
        of_operators=False,
    )


def _api_admin(services: WebServices, asked: Asked) -> View:  # noqa: ARG001
    return _view(
        services,
        Frame(
            title="Admin API reference",
            description="Every operation of this board's Admin API: apps, folds, the log, keys.",
            address=ADMIN_PATH,
            section="docs",
            twins=twins(PATH, forms=_JSON),
        ),
        of_operators=True,
    )


def _view(services: WebServices, frame: Frame, *, of_operators: bool) -> View:
    document = services.api_document()
    reference = read_reference(document, services.site.base_url, _of_operators if of_operators else _of_everybody)
    context = {"reference": reference, "of_operators": of_operators, "version": document["info"]["version"]}
    return View(frame, "api.html", context, document=document)


def _of_everybody(tag: str, path: str) -> str:  # noqa: ARG001
    return "" if tag == ADMIN_TAG else tag


def _of_operators(tag: str, path: str) -> str:
    """Return what the operation is about: they all have one tag."""
    return path.split("/")[4].capitalize() if tag == ADMIN_TAG else ""


API = Page(PATH, _api, (), _JSON)
API_ADMIN = Page(ADMIN_PATH, _api_admin, (), ())
