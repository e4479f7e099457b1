"""The nightly job as an Airflow 3 DAG: an example to copy into your dags/ folder.

The last line of stdout is a JSON summary and becomes the task's XCom. `exec` lets SIGTERM reach
cxmart, which stops cleanly between steps (exit 143). Exit 99 marks a night with nothing to do as
skipped. Give one day, never an interval: in Airflow 3 a cron schedule has an empty one.
"""

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

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
            "exec cxmart run nightly --project /srv/mart --log-format json "
            "--skip-exit-code 99 "
            '--as-of "{{ (logical_date or dag_run.run_after) | ds }}"'
        ),
        append_env=True,
        skip_on_exit_code=99,
        retries=2,
        retry_delay=pendulum.duration(minutes=10),
    )
