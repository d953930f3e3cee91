"""Liveness, readiness and metrics: for supervisors, load balancers and people."""

from __future__ import annotations

from collections.abc import Callable

import redis
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.registry import CollectorRegistry

from meetings.broker.client import connect_sync
from meetings.broker.leases import count_workers
from meetings.ops.collectors import BrokerCollector, WorkersCollector
from meetings.postgresql.patience import answering_within

OK = "ok"
DATABASE_S = 5.0
"""Readiness checks wait less than a query may take."""


def healthz(request: HttpRequest) -> JsonResponse:
    """Return 200 while the process answers."""
    return JsonResponse({"status": OK})


def readyz(request: HttpRequest) -> JsonResponse:
    """Return 200 if database, broker and at least one worker answer; else 503 with those that do not."""
    checks = {"database": _said(_database), "broker": _said(_broker), "worker": _said(_worker)}
    ready = all(answer == OK for answer in checks.values())
    return JsonResponse({"status": OK if ready else "not ready", **checks}, status=200 if ready else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Return Prometheus text: this process's metrics, then those of workers and broker."""
    shared = CollectorRegistry()
    body = generate_latest(REGISTRY)
    try:
        shared.register(WorkersCollector(connect_sync()))
        shared.register(BrokerCollector(connect_sync()))
        body += generate_latest(shared)
    except (redis.RedisError, OSError):
        body += b"# the broker does not answer: no numbers of it and of the workers\n"
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)


def _said(check: Callable[[], str]) -> str:
    try:
        return check()
    except (DatabaseError, redis.RedisError, OSError) as error:
        return f"does not answer: {type(error).__name__}"


def _database() -> str:
    with answering_within(DATABASE_S), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return OK


def _broker() -> str:
    connect_sync().ping()
    return OK


def _worker() -> str:
    return OK if count_workers(connect_sync()) else "no inference worker is running, or none makes progress"
