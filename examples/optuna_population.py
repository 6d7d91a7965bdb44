"""Optuna asks for eight trials at a time, and a population trains them in one program.

Needs `pip install optuna`.
"""

import optuna

import jaxkeras as jk

MEMBERS, BATCHES, EPOCHS = 8, 3, 5


def main() -> optuna.Study:
    jk.utils.set_random_seed(0)
    (x, y), (x_val, y_val) = jk.datasets.digits.load_data()
    model = jk.Sequential([
        jk.Input((8, 8)), jk.layers.Rescaling(1 / 16), jk.layers.Flatten(), jk.layers.Dense(32, activation="relu"),
        jk.layers.Dropout(0.5), jk.layers.Dense(10),
    ])  # fmt: skip
    population = jk.Population(model, seeds=range(MEMBERS), learning_rate=[1e-3] * MEMBERS, rate=[0.5] * MEMBERS)
    population.compile("adam", jk.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0, constant_liar=True))
    for _ in range(BATCHES):
        trials = [study.ask() for _ in range(MEMBERS)]
        population.restart(  # other values, the same programs
            learning_rate=[trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True) for trial in trials],
            rate=[trial.suggest_float("rate", 0.0, 0.7) for trial in trials],
        )
        history = population.fit(x, y, epochs=EPOCHS, validation_data=(x_val, y_val), verbose=0)
        for trial, accuracy in zip(trials, history.last("val_accuracy")):
            study.tell(trial, float(accuracy))
        print(f"{len(study.trials)} trials: best accuracy {study.best_value:.3f} with {study.best_params}")
    return study


if __name__ == "__main__":
    main()
