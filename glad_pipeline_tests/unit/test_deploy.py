"""What is shipped for clusters, as far as it can be held against this repository without a cluster."""

import os
import re
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml

from glad_pipeline.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
LAUNCHERS = ("ray", "k8s")
INSTANCES = [DEPLOY / f"dagster.{launcher}.yaml" for launcher in LAUNCHERS]
ACCOUNTS = {launcher: DEPLOY / f"account.{launcher}.yaml" for launcher in LAUNCHERS}
MANIFESTS = sorted((DEPLOY / "kuberay").glob("*.yaml"))  # applied with either launcher
ALL = [*MANIFESTS, *ACCOUNTS.values(), *INSTANCES]
RAY_WAITS = 900  # seconds for a job's pod, unless RAY_JOB_START_TIMEOUT_SECONDS says otherwise
TEXTS = [path for path in (*DEPLOY.rglob("*"), ROOT / "docs" / "scaling.md") if path.is_file()]
PRIVATE = ("PASSWORD", "SECRET", "TOKEN", "ACCESS_KEY", "DATABASE_URL")

# Of KubeRay's API reference (ray.io/v1, 1.5.1), docs/reference/api.md there: the fields that a manifest may name.
CLUSTER = {
    "suspend", "managedBy", "authOptions", "autoscalerOptions", "headServiceAnnotations", "enableInTreeAutoscaling",
    "gcsFaultToleranceOptions", "headGroupSpec", "rayVersion", "workerGroupSpecs",
}  # fmt: skip
AUTOSCALER = {
    "resources", "image", "imagePullPolicy", "securityContext", "idleTimeoutSeconds", "upscalingMode", "version",
    "env", "envFrom", "volumeMounts",
}  # fmt: skip
HEAD = {"template", "headService", "enableIngress", "rayStartParams", "serviceType"}
GROUP = {
    "suspend", "groupName", "replicas", "minReplicas", "maxReplicas", "idleTimeoutSeconds", "rayStartParams",
    "template", "scaleStrategy", "numOfHosts",
}  # fmt: skip


def documents(path):
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def objects(kind, paths=MANIFESTS):
    return [found for path in paths for found in documents(path) if found["kind"] == kind]


def entries(node):
    """Every (key, value) at any depth."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key, value
            yield from entries(value)
    elif isinstance(node, list):
        for value in node:
            yield from entries(value)


def environment(document):
    """Every (variable, value written out) that a pod would have from this document."""
    data = document.get("data", {}).items() if document.get("kind") == "ConfigMap" else ()
    listed = [e for key, value in entries(document) if key == "env" and isinstance(value, list) for e in value]
    return [*data, *((e["name"], e["value"]) for e in listed if "value" in e)]


def arguments(document):
    """Every word of every container's command."""
    return [word for key, value in entries(document) if key in ("args", "command") for word in value]


@pytest.fixture(scope="module")
def spec():
    [cluster] = objects("RayCluster")
    return cluster["spec"]


def containers(spec):
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    return [container for group in groups for container in group["template"]["spec"]["containers"]]


@pytest.mark.parametrize("path", ALL, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_a_manifest_parses_and_holds_no_host_path_and_no_secret(path):
    found = documents(path)
    assert found
    for document in found:
        if path not in INSTANCES:
            assert document["apiVersion"]
            assert document["kind"] not in ("Secret", "Ingress")
        keys = {key for key, _ in entries(document)}
        assert not keys & {"hostPath", "host_path", "hostNetwork", "host_network", "privileged"}
        assert "LoadBalancer" not in [value for _, value in entries(document)]
        told = [name for name, _ in environment(document) if any(word in name for word in PRIVATE)]
        assert not told, f"{path}: {told} belong into a secret"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_settings_that_there_are_are_named(path):
    aliases = {field.alias for field in Settings.model_fields.values() if field.alias}
    named = set(re.findall(r"\bGLAD_[A-Z0-9_]*[A-Z0-9]", path.read_text(encoding="utf-8")))
    assert named <= aliases, f"no such setting: {sorted(named - aliases)}"


def test_what_a_pod_is_told_is_a_value_that_the_setting_takes():
    told = dict(chain.from_iterable(environment(d) for path in MANIFESTS for d in documents(path)))
    told |= dict(environment(documents(DEPLOY / "dagster.k8s.yaml")[0]))
    Settings.model_validate({name: value for name, value in told.items() if name.startswith("GLAD_")})


def test_ray_and_python_are_the_constraints_own(spec):
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    [ray] = re.findall(r"^ray==(\S+)", constraints, re.MULTILINE)
    [python] = re.findall(r"--python-version (\S+)", constraints)
    image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert re.findall(r"ray\[[a-z,]+\]==([\d.]+)", image) == [ray]
    assert re.findall(r"^FROM python:([\d.]+)", image, re.MULTILINE) == [python]
    assert spec["rayVersion"] == ray


@pytest.mark.parametrize("path", INSTANCES, ids=LAUNCHERS)
def test_a_variant_of_dagster_yaml_differs_in_launcher_logs_and_patience_alone(path):
    [ours] = documents(ROOT / "dagster.yaml")
    [variant] = documents(path)
    launcher = {"dagster.ray.yaml": "RayRunLauncher", "dagster.k8s.yaml": "K8sRunLauncher"}[path.name]
    assert variant.pop("run_launcher")["class"] == launcher
    assert variant.pop("compute_logs")["class"] == "S3ComputeLogManager"
    patience = variant["run_monitoring"].pop("start_timeout_seconds")
    assert patience >= RAY_WAITS > ours["run_monitoring"].pop("start_timeout_seconds")
    storage = variant.pop("storage")[
        "custom"
    ]  # a pod without the database's name is refused, not given files of its own
    assert storage["module"] == ours.pop("storage")["custom"]["module"]
    assert storage["config"]["postgres_db"]["hostname"] == {"env": "DAGSTER_PG_HOST"}
    assert variant == ours


def test_the_cluster_has_fields_that_kuberay_knows(spec):
    assert spec.keys() <= CLUSTER
    assert spec["autoscalerOptions"].keys() <= AUTOSCALER
    assert spec["headGroupSpec"].keys() <= HEAD
    for group in spec["workerGroupSpecs"]:
        assert group.keys() <= GROUP
        assert {"groupName", "minReplicas", "maxReplicas", "rayStartParams", "template"} <= group.keys()
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
    assert all({"requests", "limits"} <= container["resources"].keys() for container in containers(spec))


def test_the_cluster_asks_for_a_token_and_grows_from_zero_to_what_the_settings_allow(spec):
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["enableInTreeAutoscaling"] is True
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert spec["headGroupSpec"]["serviceType"] == "ClusterIP"
    gpus, runs = spec["workerGroupSpecs"]
    [settings] = [found["data"] for found in objects("ConfigMap")]
    assert gpus["minReplicas"] == 0
    assert gpus["maxReplicas"] == int(settings["GLAD_WORKERS"])
    assert not [source for source in gpus["template"]["spec"]["containers"][0]["envFrom"] if "secretRef" in source]
    [dagster] = documents(DEPLOY / "dagster.ray.yaml")
    wanted = dagster["run_launcher"]["config"]["ray"]["resources"]
    assert runs["rayStartParams"]["resources"][1:-1].replace("\\", "") == '{"run": 1}'
    assert wanted == {"run": 1}


def test_the_network_policy_opens_ports_that_the_head_has_to_pods_that_there_are(spec):
    ports = {port["containerPort"] for port in containers(spec)[0]["ports"]}
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in objects("NetworkPolicy")}
    ray = policies["glad-ray"]
    assert ray["policyTypes"] == ["Ingress"]
    [cluster] = objects("RayCluster")
    assert ray["podSelector"]["matchLabels"] == {"ray.io/cluster": cluster["metadata"]["name"]}
    among_themselves, ours = ray["ingress"]
    assert among_themselves == {"from": [{"podSelector": ray["podSelector"]}]}
    assert {port["port"] for port in ours["ports"]} <= ports
    [peer] = ours["from"]
    assert peer.keys() == {"podSelector"}  # no namespaceSelector: this namespace alone
    [deployment] = objects("Deployment")
    assert peer["podSelector"]["matchLabels"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    [launched] = documents(DEPLOY / "dagster.k8s.yaml")
    assert peer["podSelector"]["matchLabels"] == launched["run_launcher"]["config"]["labels"]
    [settings] = [found["data"] for found in objects("ConfigMap")]
    told = [settings["GLAD_RAY_ADDRESS"], launched["run_launcher"]["config"]["run_k8s_config"]["container_config"]]
    addresses = re.findall(r"glad-head-svc:(\d+)", str(told))
    assert {int(port) for port in addresses} <= ports


def test_only_who_asks_kubernetes_has_a_token_for_it(spec):
    pods = [group["template"]["spec"] for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]
    assert [pod["automountServiceAccountToken"] for pod in pods] == [True, False, False]  # the head: the autoscaler
    [deployment] = objects("Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert "automountServiceAccountToken" not in pod  # it would win over what the account says
    mounted = {}
    for launcher, path in ACCOUNTS.items():
        [account] = objects("ServiceAccount", [path])
        assert account["metadata"]["name"] == pod["serviceAccountName"]
        mounted[launcher] = account["automountServiceAccountToken"]
    assert mounted == {"ray": False, "k8s": True}
    [launched] = documents(DEPLOY / "dagster.k8s.yaml")
    run = launched["run_launcher"]["config"]["run_k8s_config"]["pod_spec_config"]
    assert run["automount_service_account_token"] is False


def test_a_right_comes_with_the_launcher_that_needs_it_alone():
    kinds = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    assert not [kind for kind in kinds if objects(kind, [*MANIFESTS, ACCOUNTS["ray"]])]
    [role] = objects("Role", [ACCOUNTS["k8s"]])
    allowed = {(what, verb) for rule in role["rules"] for what in rule["resources"] for verb in rule["verbs"]}
    # what K8sRunLauncher calls: DagsterKubernetesClient of dagster-k8s 0.29.27
    needed = {("jobs", "create"), ("jobs", "list"), ("jobs", "delete"), ("jobs/status", "get"), ("pods", "list"),
              ("pods", "get"), ("pods", "delete"), ("pods/log", "get"), ("events", "list")}  # fmt: skip
    assert needed <= allowed
    assert not {what for what, _ in allowed} & {"secrets", "*", "pods/exec", "serviceaccounts/token"}
    [binding] = objects("RoleBinding", [ACCOUNTS["k8s"]])
    [account] = objects("ServiceAccount", [ACCOUNTS["k8s"]])
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["metadata"]["name"]}]


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_the_documented_commands_put_the_image_everywhere_and_apply_what_the_launcher_needs(launcher, tmp_path):
    """They are run as they stand, with programs of the same names that keep what they are given."""
    text = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    [commands] = [block for block in re.findall(r"(?:^    .*\n)+", text, re.MULTILINE) if "create configmap" in block]
    assert commands.count("launcher=ray") == 1
    for name in ("docker", "helm", "kubectl"):
        program = tmp_path / name
        program.write_text(
            "#!/bin/sh\n"
            f'echo "{name} $*" >> "$KEPT/commands"\n'
            'case "$*" in\n'
            '  *"create configmap"*) for last; do :; done; cat "${last#--from-file=dagster.yaml=}" > "$KEPT/instance";;\n'
            '  *"apply -f -") echo --- >> "$KEPT/applied"; cat >> "$KEPT/applied";;\n'
            "esac\n"
        )
        program.chmod(0o755)
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands.replace("launcher=ray", f"launcher={launcher}")],
        cwd=ROOT,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "KEPT": str(tmp_path)},
        check=True,
        timeout=30,
    )
    applied, [instance] = documents(tmp_path / "applied"), documents(tmp_path / "instance")
    images = {value for d in (*applied, instance) for key, value in entries(d) if key in ("image", "job_image")}
    assert images == {"registry.example.com/glad:1"}
    [asked] = documents(DEPLOY / f"dagster.{launcher}.yaml")
    assert instance["run_launcher"]["class"] == asked["run_launcher"]["class"]
    assert ("Role" in [d["kind"] for d in applied]) is (launcher == "k8s")
    [account] = [d for d in applied if d["kind"] == "ServiceAccount"]
    assert account in documents(ACCOUNTS[launcher])


def test_the_web_ui_that_is_started_is_the_guarded_one_and_a_run_s_tags_change_no_pod():
    [deployment] = objects("Deployment")
    started = {c["name"]: c["args"] for c in deployment["spec"]["template"]["spec"]["containers"]}
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert scripts[started["web"][0]] == "glad_pipeline.defs.webserver:main"
    words = [word for path in ALL for document in documents(path) for word in arguments(document)]
    assert not {"dagster-webserver", "dagit", "dev"} & set(words)
    [launched] = documents(DEPLOY / "dagster.k8s.yaml")  # a tag `dagster-k8s/config` could name another image
    assert launched["run_launcher"]["config"]["only_allow_user_defined_k8s_config_fields"] == {}
    assert "GLAD_WEB_TOKEN" in (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")


def test_an_image_is_named_by_a_placeholder():
    images = [v for path in ALL for d in documents(path) for k, v in entries(d) if k in ("image", "job_image")]
    assert set(images) == {"IMAGE"}
