"""The metrics of a ledger as Prometheus and OpenMetrics have them, by prometheus_client."""

from collections.abc import Callable, Iterator
from typing import Any

from atectl.ledger_store.errors import MetricsMissing
from atectl.ledger_store.export.metrics import METRICS, Metric, MetricList, Sample

LAST_SUCCESS = "atectl_export_last_success_timestamp_seconds"
"""When a file of metrics was written last, in seconds since 1970."""


def require_client() -> Any:
    """The package prometheus_client.

    Raises:
        MetricsMissing: it is not installed (exit 125).
    """
    try:
        import prometheus_client
        import prometheus_client.core
        import prometheus_client.openmetrics.exposition
    except ImportError:
        raise MetricsMissing("the package prometheus_client is not installed") from None
    return prometheus_client


class LedgerCollector:
    """Reads the ledger each time that it is asked, for a registry of prometheus_client.

    Args:
        read: the metrics now.
        written_at: if given, they say that a file was written then, in seconds since 1970.
    """

    def __init__(self, read: Callable[[], MetricList], written_at: float | None = None) -> None:
        self._read = read
        self._written_at = written_at

    def describe(self) -> list[Any]:
        """Nothing: a registry would otherwise read the ledger to find out."""
        return []

    def collect(self) -> Iterator[Any]:
        """The families of all metrics that have a sample."""
        client = require_client()
        by_name: dict[str, list[Sample]] = {}
        for sample in self._read().samples:
            by_name.setdefault(sample.name, []).append(sample)
        for metric in METRICS:
            if metric.name in by_name:
                yield _family(client, metric, by_name[metric.name])
        if self._written_at is not None:
            text = "When this file was written."
            yield client.core.GaugeMetricFamily(LAST_SUCCESS, text, value=self._written_at)


def _family(client: Any, metric: Metric, samples: list[Sample]) -> Any:
    kind = client.core.CounterMetricFamily
    if metric.kind == "gauge":
        kind = client.core.GaugeMetricFamily
    labels = [metric.label] if metric.label else []
    family = kind(metric.name.removesuffix("_total"), metric.text, labels=labels)
    for sample in samples:
        family.add_metric([getattr(sample, label) for label in labels], sample.value)
    return family


def registry_of(collector: LedgerCollector) -> Any:
    """A registry of its own, without the metrics that prometheus_client adds of this process.

    Raises:
        MetricsMissing: prometheus_client is not installed (exit 125).
    """
    registry = require_client().CollectorRegistry()
    registry.register(collector)
    return registry


def exposition(collector: LedgerCollector, *, is_openmetrics: bool) -> str:
    """The metrics as text.

    Raises:
        MetricsMissing: prometheus_client is not installed (exit 125).
        LedgerError: the ledger cannot be read (exit 125).
    """
    client, registry = require_client(), registry_of(collector)
    writer = client.openmetrics.exposition if is_openmetrics else client.exposition
    text: bytes = writer.generate_latest(registry)
    return text.decode()
