"""An oracle of KerasTuner gives eight trials at a time, and a population trains them in one program.

Needs `pip install keras-tuner`.
"""

import tempfile
from typing import Any

import keras_tuner

import jaxkeras as jk

MEMBERS, BATCHES, EPOCHS = 8, 3, 5


def main() -> Any:
    jk.utils.set_random_seed(0)
    (x, y), (x_val, y_val) = jk.datasets.digits.load_data()
    model = jk.Sequential([
        jk.Input((8, 8)), jk.layers.Rescaling(1 / 16), jk.layers.Flatten(), jk.layers.Dense(32, activation="relu"),
        jk.layers.Dense(10),
    ])  # fmt: skip
    population = jk.Population(model, seeds=range(MEMBERS), learning_rate=[1e-3] * MEMBERS, beta_1=[0.9] * MEMBERS)
    population.compile("adam", jk.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])

    space = keras_tuner.HyperParameters()
    space.Float("learning_rate", 1e-4, 1e-1, sampling="log")
    space.Float("beta_1", 0.5, 0.95)
    objective = keras_tuner.Objective("val_accuracy", "max")
    oracle = keras_tuner.oracles.RandomSearchOracle(objective, MEMBERS * BATCHES, hyperparameters=space, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        oracle._set_project_dir(folder, "digits")
        for _ in range(BATCHES):
            trials = [oracle.create_trial(f"member-{i}") for i in range(MEMBERS)]
            values = [trial.hyperparameters.values for trial in trials]
            population.restart(**{name: [v[name] for v in values] for name in ("learning_rate", "beta_1")})
            history = population.fit(x, y, epochs=EPOCHS, validation_data=(x_val, y_val), verbose=0)
            for trial, accuracy in zip(trials, history.last("val_accuracy")):
                oracle.update_trial(trial.trial_id, {"val_accuracy": float(accuracy)})
                trial.status = "COMPLETED"
                oracle.end_trial(trial)
            (best,) = oracle.get_best_trials(1)
            print(f"{len(oracle.trials)} trials: best accuracy {best.score:.3f} with {best.hyperparameters.values}")
    return oracle


if __name__ == "__main__":
    main()
