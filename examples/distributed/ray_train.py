"""Train with Ray Train: `python ray_train.py 4` (`pip install "ray[train]"`).

Ray starts and joins the processes, so `initialize` is not called. Workers take a GPU each if the cluster has them.
"""

import sys


def train(config):
    """Runs on every worker."""
    import jax
    import numpy as np
    import ray.train

    import jaxkeras as jk

    assert jax.process_count() == ray.train.get_context().get_world_size()
    jk.distribution.set_distribution("data")
    jk.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(256, 16)).astype("float32")
    model = jk.Sequential([jk.Input((16,)), jk.layers.Dense(8)])
    model.compile("adam", "mse")
    history = model.fit(x, x[:, :8], batch_size=64, epochs=config["epochs"], verbose=0)
    ray.train.report({"loss": history.history["loss"][-1], "processes": jax.process_count()})


def main(workers):
    """Start workers, and wait for them. They report to Ray, which shows it."""
    import ray
    from ray.train import RunConfig, ScalingConfig
    from ray.train.v2.jax import JaxConfig, JaxTrainer

    ray.init()
    gpu = ray.cluster_resources().get("GPU", 0) >= workers
    platform = {"JAX_PLATFORMS": "cuda" if gpu else "cpu"}
    trainer = JaxTrainer(
        train,
        train_loop_config={"epochs": 2},
        jax_config=JaxConfig(use_gpu=True),  # on CPUs, too: otherwise Ray does not join the processes
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu),
        run_config=RunConfig(worker_runtime_env={"env_vars": platform}),
    )
    trainer.fit()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
