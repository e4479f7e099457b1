"""Holds OpenLineage events (one JSON object a line) against the specification's JSON schema and
against the types of the official client.

Usage: check_lineage.py SCHEMA EVENTS
"""

import json
import pathlib
import sys

import attr
from jsonschema import Draft202012Validator, FormatChecker
from openlineage.client import event_v2
from openlineage.client.generated import (
    base,
    column_lineage_dataset,
    dataset_version_dataset,
    documentation_dataset,
    error_message_run,
    input_statistics_input_dataset,
    job_type_job,
    output_statistics_output_dataset,
    parent_run,
    processing_engine_run,
    schema_dataset,
)

FACETS = {
    "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet,
    "version": dataset_version_dataset.DatasetVersionDatasetFacet,
    "documentation": documentation_dataset.DocumentationDatasetFacet,
    "errorMessage": error_message_run.ErrorMessageRunFacet,
    "inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet,
    "jobType": job_type_job.JobTypeJobFacet,
    "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
    "parent": parent_run.ParentRunFacet,
    "processing_engine": processing_engine_run.ProcessingEngineRunFacet,
    "schema": schema_dataset.SchemaDatasetFacet,
}


def check_facet(name, facet):
    """Every member is one that the client knows, none that it needs is missing, and it says the schema
    that the client's own would say."""
    kind = FACETS[name]
    fields = {field.name: field for field in attr.fields(kind)}
    members = {key for key in facet if not key.startswith("_")}
    unknown = members - set(fields)
    assert not unknown, f"{name} has unknown members {unknown}"
    needed = {
        key
        for key, field in fields.items()
        if field.default is attr.NOTHING and field.init and not key.startswith("_")
    }
    assert needed <= members, f"{name} lacks {needed - members}"
    assert facet["_schemaURL"] == kind._get_schema(), (facet["_schemaURL"], kind._get_schema())


def main():
    schema = json.loads(pathlib.Path(sys.argv[1]).read_text())
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    for line in pathlib.Path(sys.argv[2]).read_text().splitlines():
        event = json.loads(line)
        validator.validate(event)
        event_v2.RunState(event["eventType"])
        event_v2.Run(runId=event["run"]["runId"])
        event_v2.Job(namespace=event["job"]["namespace"], name=event["job"]["name"])
        owners = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
        for owner in owners:
            for kind in ("facets", "inputFacets", "outputFacets"):
                for name, facet in owner.get(kind, {}).items():
                    check_facet(name, facet)
        print(event["eventType"])


if __name__ == "__main__":
    main()
