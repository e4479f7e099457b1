"""The nightly job and its backfill as Airflow 3 DAGs: an example to copy into your dags/ folder.

The last line of stdout is a JSON summary and becomes the task's XCom. `exec` lets SIGTERM reach
cxmart, which stops cleanly between steps (exit 143). Exit 99 marks a night with nothing to do as
skipped. Give one day, never an interval: in Airflow 3 a cron schedule has an empty one.

Nights may run late, twice, backwards or beside each other: a night whose day lies before the newest
release restates that day of the daily tables, and a second run on the warehouse ends with 75 (try
again), which `retries` answers.

CXMART_IMAGE runs both in Kubernetes instead; it needs apache-airflow-providers-cncf-kubernetes, and
in CXMART_NAMESPACE what jobs/k8s/cronjob.yaml names too: the jobs as a config map, credentials as a secret.
With apache-airflow-providers-openlineage set up, the lineage events of cxmart name their task as parent.
"""

import os

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset, Param

IMAGE = os.environ.get("CXMART_IMAGE")
PROJECT = os.environ.get("CXMART_PROJECT", "/project" if IMAGE else "/srv/mart")
MART = Asset("cxmart_nightly_mart")
DAY = "{{ (logical_date or dag_run.run_after) | ds }}"
RETRIES = {"retries": 2, "retry_delay": pendulum.duration(minutes=10)}

# The provider's macro is there once the provider is set up; without it there is no parent to name.
LINEAGE = "macros.OpenLineageProviderPlugin"
PARENT = f"{{{{ {LINEAGE}.lineage_parent_id(task_instance) if {LINEAGE} is defined else '' }}}}"
ENVIRONMENT = {"OPENLINEAGE_PARENT_ID": PARENT}


def cxmart(task_id, arguments, **more):
    """A task that runs cxmart, here or in a pod."""
    arguments = [*arguments, "--project", PROJECT, "--log-format", "json"]
    if not IMAGE:
        words = " ".join(f'"{word}"' for word in arguments)
        return BashOperator(
            task_id=task_id,
            bash_command=f"exec cxmart {words}",
            skip_on_exit_code=99,
            append_env=True,
            env=ENVIRONMENT,
            **RETRIES,
            **more,
        )
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
    from kubernetes.client import models

    secret = models.V1SecretEnvSource(name="cxmart-credentials")
    jobs = models.V1ConfigMapVolumeSource(name="cxmart-jobs")
    disk = models.V1EmptyDirVolumeSource(size_limit="100Gi")
    return KubernetesPodOperator(
        task_id=task_id,
        name=f"cxmart-{task_id}",
        namespace=os.environ.get("CXMART_NAMESPACE", "default"),
        image=IMAGE,
        arguments=[*arguments, "--memory-limit", "4GiB"],
        skip_on_exit_code=99,
        env_vars={**ENVIRONMENT, "CXMART__SCRATCH": "/scratch"},
        env_from=[models.V1EnvFromSource(secret_ref=secret)],
        volumes=[
            models.V1Volume(name="jobs", config_map=jobs),
            models.V1Volume(name="scratch", empty_dir=disk),
        ],
        volume_mounts=[
            models.V1VolumeMount(name="jobs", mount_path=f"{PROJECT}/jobs"),
            models.V1VolumeMount(name="scratch", mount_path="/scratch"),
        ],
        container_resources=models.V1ResourceRequirements(
            requests={"cpu": "2", "memory": "6Gi"}, limits={"memory": "8Gi"}
        ),
        security_context={"runAsNonRoot": True, "runAsUser": 10001},
        termination_grace_period=60,
        on_finish_action="delete_pod",
        **RETRIES,
        **more,
    )


with DAG(
    dag_id="cxmart_nightly",
    schedule="30 3 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Europe/Copenhagen"),
    catchup=False,
    max_active_runs=1,
):
    cxmart(
        "run",
        ["run", "nightly", "--skip-exit-code", "99", "--as-of", DAY],
        outlets=[MART],
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
    cxmart(
        "backfill",
        ["backfill", "nightly", "--from", "{{ params['from'] }}", "--to", "{{ params.to }}"],
        outlets=[MART],
    )
