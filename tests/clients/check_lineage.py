"""Holds OpenLineage events (one JSON object a line) against the specification's own JSON schemas, those
of facets included, and, where the official client is installed, against its types.

Usage: check_lineage.py FOLDER EVENTS
"""

import json
import pathlib
import sys

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

try:
    import attr
    from openlineage.client import event_v2
    from openlineage.client.generated import (
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
except ImportError:
    CLIENT = {}
else:
    CLIENT = {
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


class Specification:
    """The schemas of a folder, by the urls that events name them by."""

    def __init__(self, folder):
        texts = [path.read_text() for path in sorted(pathlib.Path(folder).glob("*.json"))]
        schemas = [json.loads(text) for text in texts]
        self.by_url = {schema["$id"]: schema for schema in schemas}
        resources = [(url, Resource.from_contents(it)) for url, it in self.by_url.items()]
        self.registry = Registry().with_resources(resources)
        self.used = set()

    def validator(self, url):
        return Draft202012Validator(
            {"$ref": url}, registry=self.registry, format_checker=FormatChecker()
        )

    def members(self, url):
        """Names of the members that a definition knows, without those of what it builds on."""
        base, pointer = url.split("#")
        definition = self.by_url[base]
        for part in pointer.strip("/").split("/"):
            definition = definition[part]
        parts = definition.get("allOf", [definition])
        return {name for part in parts for name in part.get("properties", {})}

    def check_facet(self, name, facet):
        """A facet is what the url it names says of it, under the name that the specification gives it, and
        has no member that is not known there."""
        url = facet["_schemaURL"]
        base = url.split("#")[0]
        self.used.add(base)
        assert name in self.by_url[base]["properties"], f"{url} knows no facet {name}"
        self.validator(url).validate(facet)
        self.validator(base).validate({name: facet})
        unknown = {key for key in facet if not key.startswith("_")} - self.members(url)
        assert not unknown, f"{name} has unknown members {unknown}"


def check_client(name, facet):
    """The client's own type knows all members, none that it needs is missing, and the schema is the one
    that it would name."""
    kind = CLIENT[name]
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
    specification = Specification(sys.argv[1])
    for line in pathlib.Path(sys.argv[2]).read_text().splitlines():
        event = json.loads(line)
        specification.validator(event["schemaURL"]).validate(event)
        if CLIENT:
            event_v2.RunState(event["eventType"])
            event_v2.Run(runId=event["run"]["runId"])
            event_v2.Job(namespace=event["job"]["namespace"], name=event["job"]["name"])
        owners = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
        for owner in owners:
            for kind in ("facets", "inputFacets", "outputFacets"):
                for name, facet in owner.get(kind, {}).items():
                    specification.check_facet(name, facet)
                    if CLIENT:
                        check_client(name, facet)
        print(event["eventType"])
    print(f"{len(specification.used)} facets")


if __name__ == "__main__":
    main()
