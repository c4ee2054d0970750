"""The API's reference, made of its OpenAPI document: figures on one page, inference and operators' work on others."""

from tokenboard.web.layout import Layout, PageFormat, twins
from tokenboard.web.pages.page import Page
from tokenboard.web.reference import Heading, read_reference
from tokenboard.web.request import PageRequest
from tokenboard.web.services import WebServices
from tokenboard.web.view import View

PATH = "/docs/api"
ADMIN_PATH = "/docs/api/admin"
INFERENCE_PATH = "/docs/api/inference"
ADMIN_TAG = "Admin"
INFERENCE_TAGS = frozenset(
    {
        "API Keys",
        "Chat",
        "Completions",
        "Credits",
        "Embeddings",
        "Generations",
        "Messages",
        "Models",
        "Providers",
        "Responses",
    }
)
"""What clients of models ask; a model's top apps have the tag `Models` as well, and are figures."""

_JSON = (PageFormat.JSON,)


def _api(services: WebServices, request: PageRequest) -> View:  # noqa: ARG001 - every page is given what was asked
    return _view(
        services,
        Layout(
            title="API reference",
            description="Every operation on this board's figures: parameters, answers, errors, limits, examples.",
            address=PATH,
            section="docs",
            twins=twins(PATH, forms=_JSON),
        ),
        heading=_of_figures,
    )


def _api_inference(services: WebServices, request: PageRequest) -> View:  # noqa: ARG001
    return _view(
        services,
        Layout(
            title="Inference API reference",
            description="Every operation that asks models of this board, or about them, keys and requests.",
            address=INFERENCE_PATH,
            section="docs",
            twins=twins(PATH, forms=_JSON),
        ),
        heading=_of_inference,
    )


def _api_admin(services: WebServices, request: PageRequest) -> View:  # noqa: ARG001
    return _view(
        services,
        Layout(
            title="Admin API reference",
            description="Every operation of this board's Admin API: apps, folds, the log, keys.",
            address=ADMIN_PATH,
            section="docs",
            twins=twins(PATH, forms=_JSON),
        ),
        heading=_of_operators,
    )


def _view(services: WebServices, layout: Layout, *, heading: Heading) -> View:
    document = services.api_document()
    reference = read_reference(document, services.site.base_url, heading)
    context = {"reference": reference, "part": layout.address, "version": document["info"]["version"]}
    return View(layout, "api.html", context, document=document)


def _of_figures(tag: str, path: str) -> str:
    return "" if tag == ADMIN_TAG or _of_inference(tag, path) else tag


def _of_inference(tag: str, path: str) -> str:
    return tag if tag in INFERENCE_TAGS and not path.endswith("/apps") else ""


def _of_operators(tag: str, path: str) -> str:
    """Return what the operation is about: they all have one tag."""
    return path.split("/")[4].capitalize() if tag == ADMIN_TAG else ""


API = Page(PATH, _api, (), _JSON)
API_INFERENCE = Page(INFERENCE_PATH, _api_inference, (), ())
API_ADMIN = Page(ADMIN_PATH, _api_admin, (), ())
