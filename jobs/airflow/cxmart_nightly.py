"""The nightly job and its backfill as Airflow 3 DAGs: an example to copy into your dags/ folder.

The last line of stdout is a JSON summary and becomes the task's XCom. `exec` lets SIGTERM reach
cxmart, which stops cleanly between steps (exit 143). Exit 99 marks a night with nothing to do as
skipped. Give one day, never an interval: in Airflow 3 a cron schedule has an empty one.

Nights may run late, twice, backwards or beside each other: a night whose day lies before the newest
release restates that day of the daily tables, and a second run on the warehouse ends with 75 (try
again), which `retries` answers.
"""

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

PROJECT = "/srv/mart"
COMMON = {
    "append_env": True,
    "retries": 2,
    "retry_delay": pendulum.duration(minutes=10),
}

with DAG(
    dag_id="cxmart_nightly",
    schedule="30 3 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Copenhagen"),
    catchup=False,
    max_active_runs=1,
):
    BashOperator(
        task_id="run",
        bash_command=(
            f"exec cxmart run nightly --project {PROJECT} --log-format json "
            "--skip-exit-code 99 "
            '--as-of "{{ (logical_date or dag_run.run_after) | ds }}"'
        ),
        skip_on_exit_code=99,
        **COMMON,
    )

# Started by hand, with the range as parameters: days of the daily tables that `cxmart status`
# names as out of date.
with DAG(
    dag_id="cxmart_backfill",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Copenhagen"),
    catchup=False,
    max_active_runs=1,
    params={
        "from": Param("2026-01-01", type="string", format="date"),
        "to": Param("2026-01-31", type="string", format="date"),
    },
):
    BashOperator(
        task_id="backfill",
        bash_command=(
            f"exec cxmart backfill nightly --project {PROJECT} --log-format json "
            '--from "{{ params[\'from\'] }}" --to "{{ params.to }}"'
        ),
        **COMMON,
    )
