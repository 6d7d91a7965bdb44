"""`initialize` finds the place of a process where JAX's detectors of clusters look. None is needed for the tests."""

import socket
import sys
import types

import jax
import pytest
from jax._src.clusters import ClusterEnv, cloud_tpu_cluster, k8s_cluster

import jaxkeras as jk

SLURM = {
    "SLURM_JOB_ID": "77", "SLURM_STEP_NODELIST": "node[07-10]", "SLURM_NTASKS": "8", "SLURM_PROCID": "5",
    "SLURM_LOCALID": "1",
}  # fmt: skip
OPEN_MPI = {
    "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911", "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_LOCAL_RANK": "0",
}  # fmt: skip
KERAS = {
    "KERAS_DISTRIBUTION_JOB_ADDRESSES": "10.0.0.1:1234,10.0.0.2:2345", "KERAS_DISTRIBUTION_NUM_PROCESSES": "2",
    "KERAS_DISTRIBUTION_PROCESS_ID": "1",
}  # fmt: skip
GKE = {"TPU_SKIP_MDS_QUERY": "true", "TPU_WORKER_ID": "1", "TPU_WORKER_HOSTNAMES": "tpu-0,tpu-1,tpu-2,tpu-3"}
SLICES = {
    "MEGASCALE_COORDINATOR_ADDRESS": "slices-0-0.slices:8081", "MEGASCALE_NUM_SLICES": "2", "MEGASCALE_SLICE_ID": "1"
}  # fmt: skip
KUBERNETES = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "train-2", "JOB_COMPLETION_INDEX": "2"}


def on_a_tpu(metadata):
    """A virtual machine of Cloud TPU, whose metadata server knows `metadata`."""

    def patch(monkeypatch):
        monkeypatch.setattr(cloud_tpu_cluster, "running_in_cloud_tpu_vm", True)
        monkeypatch.setattr(
            cloud_tpu_cluster, "get_metadata", lambda key: (metadata.get(key, ""), 200 if key in metadata else 404)
        )

    return patch


def in_a_pod(job_labels, subdomain):
    """A pod of an indexed job with four pods."""

    def patch(monkeypatch):
        of = types.SimpleNamespace
        owner = of(kind="Job", controller=True)
        pod = of(
            metadata=of(name="train-2", labels={"job-name": "train"}, owner_references=[owner]),
            spec=of(subdomain=subdomain),
        )
        job = of(metadata=of(name="train", labels=job_labels), spec=of(parallelism=4))
        core = of(list_namespaced_pod=lambda namespace, field_selector: of(items=[pod]))
        client = of(
            CoreV1Api=lambda: core, BatchV1Api=lambda: of(read_namespaced_job=lambda name, namespace: job),
            exceptions=of(ApiException=OSError),
        )  # fmt: skip
        monkeypatch.setitem(sys.modules, "kubernetes", of(config=of(load_incluster_config=lambda: None), client=client))
        cluster = k8s_cluster.K8sCluster
        for name in ("_core_api", "_batch_api", "_ApiException"):
            monkeypatch.setattr(cluster, name, None, raising=False)
        for name in ("_pod", "_job", "_controller"):
            getattr(cluster, name).__func__.cache_clear()
        monkeypatch.setattr(cluster, "_namespace", lambda: "default")

    return patch


POD = {
    "agent-worker-number": "3",
    "worker-network-endpoints": "a:1:10.1.0.2,b:2:10.1.0.3,c:3:10.1.0.4,d:4:10.1.0.5",
    "tpu-env": "ACCELERATOR_TYPE: 'v5litepod-16'\nWORKER_ID: '3'",
}
PLACES = {  # environment, what answers, arguments, (address of process 0, number of processes, number of this one)
    "slurm": (SLURM, None, (), ("node07:61517", 8, 5)),
    "open-mpi": (OPEN_MPI, None, (), ("10.96.0.1:62624", 4, 2)),
    "tpu-pod": ({}, on_a_tpu(POD), (), ("10.1.0.2:8482", 4, 3)),
    "tpu-pod-with-names": (
        {}, on_a_tpu({**POD, "worker-network-endpoints": "w0,w1", "agent-worker-number": "1"}), (), ("w0:8482", 2, 1)
    ),
    "tpu-slices": (
        {}, on_a_tpu({**POD, "tpu-env": "\n".join(f"{key}: '{value}'" for key, value in SLICES.items())}), (),
        ("slices-0-0.slices:8482", 8, 7),
    ),
    "gke-tpu": (GKE, on_a_tpu({"tpu-env": ""}), (), ("tpu-0:8482", 4, 1)),
    "gke-tpu-slices": (GKE | SLICES, on_a_tpu({}), (), ("slices-0-0.slices:8482", 8, 5)),
    "kubernetes-job": (KUBERNETES, in_a_pod({}, "pods"), (), ("train-0.pods:55527", 4, 2)),
    "kubernetes-jobset": (
        KUBERNETES, in_a_pod({"jobset.sigs.k8s.io/jobset-name": "set"}, None), (), ("train-0.set:55527", 4, 2)
    ),
    "keras": (KERAS, None, (), ("10.0.0.1:1234", 2, 1)),
    "keras-within-slurm": (SLURM | KERAS, None, (), ("10.0.0.1:1234", 2, 1)),
    "keras-within-kubernetes": (KUBERNETES | KERAS, in_a_pod({}, "pods"), (), ("10.0.0.1:1234", 2, 1)),
    "arguments": (SLURM | KERAS, None, ("host:1", 3, 0), ("host:1", 3, 0)),
    "arguments-on-tpu": ({}, on_a_tpu(POD), ("host:1", 3, 0), ("host:1", 3, 0)),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_initialize_finds_its_place(name, monkeypatch):
    environ, patch, arguments, place = PLACES[name]

    def initialize(coordinator_address, num_processes, process_id):
        given = (coordinator_address, num_processes, process_id)
        found.extend(ClusterEnv.auto_detect_unset_distributed_params(*given, None, None, 1)[:3])

    found: list = []
    for key in {key for others, *_ in PLACES.values() for key in others}:  # a plan for TPUs sets some of them
        monkeypatch.delenv(key, raising=False)
    for key, value in environ.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(k8s_cluster.time, "sleep", lambda seconds: None)  # before it asks for a host
    monkeypatch.setattr(socket, "gethostbyname", lambda host: "10.0.0.1")
    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    if patch is not None:
        patch(monkeypatch)
    jk.distribution.initialize(*arguments)
    assert tuple(found) == place


def test_initialize_refuses_other_counts():
    with pytest.raises(ValueError, match="2 jobs, but num_processes is 3"):
        jk.distribution.initialize("a:1,b:1", 3, 0)
