"""Train with Ray Train: `python ray_train.py`. Ray starts and joins the processes, so `initialize` is not called."""

import sys


def train(config):
    """Runs on every worker."""
    import numpy as np

    import jaxkeras as jk

    jk.distribution.set_distribution("data")
    jk.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(256, 16)).astype("float32")
    model = jk.Sequential([jk.Input((16,)), jk.layers.Dense(8)])
    model.compile("adam", "mse")
    model.fit(x, x[:, :8], batch_size=64, epochs=config["epochs"], verbose=0)


def main(workers):
    """Start workers, and wait for them."""
    from ray.train import ScalingConfig
    from ray.train.v2.jax import JaxTrainer

    trainer = JaxTrainer(train, train_loop_config={"epochs": 2}, scaling_config=ScalingConfig(num_workers=workers))
    return trainer.fit()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
