"""Holds Kubernetes manifests against the schemas of the release that kubernetes-validate comes with,
without leave for unknown fields, and the failure policies of jobs against the rules that the API
server adds to the schema. Prints the kind of each.

Usage: check_manifest.py FILE…
"""

import pathlib
import sys

import kubernetes_validate
import yaml

RULES_MAX = 20


def failure_policy(job):
    """What https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy asks."""
    policy = job.get("podFailurePolicy")
    if policy is None:
        return
    pod = job["template"]["spec"]
    assert pod["restartPolicy"] == "Never", "a failure policy needs pods that are not restarted"
    names = {container["name"] for container in pod["containers"]}
    assert 1 <= len(policy["rules"]) <= RULES_MAX
    for rule in policy["rules"]:
        assert rule["action"] in {"FailJob", "FailIndex", "Ignore", "Count"}, rule
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions")
        assert (codes is None) != (not conditions), f"one of both: {rule}"
        if codes:
            assert codes["operator"] in {"In", "NotIn"}, rule
            assert codes.get("containerName", next(iter(names))) in names, rule
            values = codes["values"]
            assert values == sorted(set(values)), f"in order, each once: {rule}"
            assert 1 <= len(values) <= 255, rule
            assert codes["operator"] != "In" or 0 not in values, f"0 is no failure: {rule}"
        for condition in conditions or []:
            assert condition.get("status", "True") in {"True", "False", "Unknown"}, rule


def main():
    for path in sys.argv[1:]:
        for document in yaml.safe_load_all(pathlib.Path(path).read_text(encoding="utf-8")):
            newest = kubernetes_validate.latest_version()
            kubernetes_validate.validate(document, newest, strict=True)
            if document["kind"] == "CronJob":
                failure_policy(document["spec"]["jobTemplate"]["spec"])
            print(document["apiVersion"], document["kind"])


main()
