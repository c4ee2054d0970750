"""The one error shape."""

import json

from tokenboard.problem import Problem


def test_a_problem_is_its_code_and_its_message() -> None:
    problem = Problem(418, "I am a teapot: ask a coffee machine. ☕")
    assert {"error": {"code": 418, "message": "I am a teapot: ask a coffee machine. ☕"}} == json.loads(problem.body())
    assert "I am a teapot: ask a coffee machine. ☕" == str(problem)


def test_metadata_is_there_only_when_given() -> None:
    assert {"limit": 5} == json.loads(Problem(400, "no", metadata={"limit": 5}).body())["error"]["metadata"]
    assert {} == json.loads(Problem(400, "no", metadata={}).body())["error"]["metadata"]


def test_it_is_answered_with_its_own_headers_and_those_of_the_route() -> None:
    problem = Problem(503, "no", headers={"Retry-After": "5"})
    start, body = problem.asgi_messages([(b"x-generation-id", b"gen-1")])
    expected = {
        "type": "http.response.start",
        "status": 503,
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(problem.body())).encode()),
            (b"retry-after", b"5"),
            (b"x-generation-id", b"gen-1"),
        ],
    }
    assert expected == start
    assert {"type": "http.response.body", "body": problem.body()} == body


def test_its_headers_are_its_own() -> None:
    given = {"Allow": "GET"}
    problem = Problem(405, "no", headers=given)
    given["Allow"] = "POST"
    assert {"Allow": "GET"} == problem.headers
