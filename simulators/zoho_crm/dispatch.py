"""From a request to an answer: routes, tokens, scopes, limits, faults, ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from .exceptions import Refusal, Unmodelled, refuse, unmodelled
from .faults import Fault
from .ledger import Call
from .oauth.scopes import need_scope
from .oauth.tokens import AccessToken
from .routes import Answer, Request, Route, find_route
from .serialization import local
from .service import CRM, PLACES, Service

GATEWAY_PAGE = (
    b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)


def dispatch(account: Service, host: str, request: Request) -> Answer:
    """Answer one call and write it into the ledger."""
    here = next((place for place in PLACES if place.owns(request.path)), account.place)
    found = find_route(host, request.method, here.moved(request.path, CRM))
    service = account.part(found[0].service) if found else None
    if found is None or service is None:
        answer = _answer_of_simulator(f"{request.method} {request.path}: not modelled")
        _enter(account, request, None, answer)
        return answer
    known, variables = found
    request.elsewhere = known.service == "crm" and here is not service.place
    request.module = variables.get("module") or request.query.get("module")
    if known.module is not None:
        request.module = known.module(service, request, variables)
    request.fault = fault = service.faults.take(known.name, request.module)
    if fault is not None and fault.replaces_answer:
        answer = _faulty(service, fault)
    else:
        answer = _called(service, known, request, variables)
        answer.headers.update(fault.headers or {} if fault else {})
    if fault is not None:
        answer.cut_after, answer.truncate = fault.cut_after, fault.truncate_json
        answer.drip, answer.drip_body = fault.drip, fault.drip_body
    _enter(service, request, known, answer)
    return answer


def _called(service: Service, known: Route, request: Request, variables: dict[str, str]) -> Answer:
    token: AccessToken | None = None
    try:
        if known.host == "api":
            token = _token(service, request)
            request.scopes = service.scopes_here(token.scopes)
            if request.elsewhere:  # of another service than this one
                refuse(401, "OAUTH_SCOPE_MISMATCH")
        _check(service, known, request)
        with _running(service, known, request), service.lock if known.locked else nullcontext():
            answer = known.call(service, request, **variables)
    except Refusal as refusal:
        answer = Answer(*service.error(refusal))
        if refusal.status == 429 and (seconds := service.retry_after(refusal)) is not None:
            answer.headers["Retry-After"] = str(seconds)
    except Unmodelled as what:
        return _answer_of_simulator(f"{request.method} {request.path}: {what}")
    if token is not None and service.quirks.access_token_reset_header:
        answer.headers["X-ACCESSTOKEN-RESET"] = local(token.expires, service.time_zone)
    return answer


def _token(service: Service, request: Request) -> AccessToken:
    header = request.headers.get("authorization", "")
    scheme, _, text = header.partition(" ")
    schemes = service.schemes if service.quirks.bearer_accepted else service.schemes[:1]
    if scheme.lower() not in schemes or not text.strip():
        refuse(401, "AUTHENTICATION_FAILURE")
    token = service.tokens.holder(text.strip())
    if token is None:
        refuse(401, "INVALID_TOKEN")
    return token


def _check(service: Service, known: Route, request: Request) -> None:
    if known.host == "api" and not service.offers(known.name):
        refuse(404, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")
    if unknown := sorted(
        name for name in request.query if name not in known.params or not service.takes(name)
    ):
        unmodelled(f"parameter {unknown[0]!r} is not modelled")
    for scope in known.scopes:
        need_scope(request, scope, service.scope_words(request.module) if request.module else ())
    if known.host == "api":
        service.admit(request)
        service.check_limits(request, known.cost(service, request))


@contextmanager
def _running(service: Service, known: Route, request: Request) -> Iterator[None]:
    """Count the call among those that run at one time."""
    if known.host != "api":
        yield
        return
    heavy = known.is_heavy(request)
    with service.running_lock:
        over = service.running >= service.rules.concurrency
        over = over or (heavy and service.running_heavy >= service.rules.sub_concurrency)
        if not over:
            service.running += 1
            service.running_heavy += heavy
    if over:
        refuse(429, "TOO_MANY_REQUESTS", "You have crossed the concurrent calls of your edition.")
    try:
        if service.rules.seconds_per_call:
            time.sleep(service.rules.seconds_per_call)
        yield
    finally:
        with service.running_lock:
            service.running -= 1
            service.running_heavy -= heavy


def _faulty(service: Service, fault: Fault) -> Answer:
    """The answer that comes instead of Zoho's."""
    headers = dict(fault.headers or {})
    if fault.reset:
        return Answer(0, reset=True)
    if fault.html:
        return Answer(fault.status or 502, headers=headers, raw=GATEWAY_PAGE, content_type="text/html")
    if fault.empty:
        return Answer(fault.status or 200, headers=headers, raw=b"")
    status = fault.status or 200
    body = fault.body
    if body is None and status >= 400:
        code = "TOO_MANY_REQUESTS" if status == 429 else "INTERNAL_ERROR"
        body = service.error(Refusal(status, code, "a fault of the simulator", {}))[1]
    if isinstance(body, (str, bytes)):
        return Answer(status, headers=headers, raw=body.encode() if isinstance(body, str) else body)
    return Answer(status, body, headers)


def _answer_of_simulator(what: str) -> Answer:
    return Answer(418, {"simulator": what})


def _enter(service: Service, request: Request, known: Route | None, answer: Answer) -> None:
    credits = 0
    if known is not None and known.host == "api" and not answer.reset and answer.status != 418:
        refused = answer.status >= 400
        credits = service.quirks.credits_for_refused_calls if refused else known.cost(service, request)
    name = known.name if known else ""
    # No lock: a call that is refused must not wait for one that runs.
    service.ledger.add(
        Call(
            request.method, name, request.path, answer.status, credits, request.module, service.clock.now(),
            dict(request.query), request.body, known.service if known else "",
        )
    )  # fmt: skip
    if known is not None and known.host == "api":
        answer.headers.update(service.credit_headers(credits))
