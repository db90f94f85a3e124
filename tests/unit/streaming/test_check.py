"""What a run would fail of is asked before Spark starts."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace

import pytest

from conf.settings import AppConfig
from infra.kafka.cluster import BrokerUnavailableError
from jobs.job import RunContext
from streaming import all_layers, bronze
from streaming.job import StreamingJob


@pytest.mark.parametrize("job", [bronze.JOB, all_layers.JOB], ids=lambda job: job.name)
@pytest.mark.parametrize("once", [True, False])
def test_without_a_broker_spark_is_not_started(home: AppConfig, job: StreamingJob, once: bool) -> None:
    def refuse(_: AppConfig) -> None:
        raise BrokerUnavailableError("nobody there")

    assert job.check is bronze.check_broker
    context = RunContext(home, "test")
    with pytest.raises(BrokerUnavailableError, match="nobody there"):
        replace(job, check=refuse).run(context, Namespace(once=once, every=1.0))
    assert "lake" not in vars(context)


def test_security_that_cannot_be_used_is_said_before_anybody_is_asked(home: AppConfig) -> None:
    settings = home.model_copy(update={"kafka_sasl_username": "car"})
    with pytest.raises(ValueError, match="KAFKA_SASL_PASSWORD is not set"):
        bronze.check_broker(settings)
