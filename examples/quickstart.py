"""Train a small convolutional network on handwritten digits, evaluate it, and save it.

Writes the model, a plot of the learning curves, and a report to `quickstart/`.
"""

import pathlib
import time

import numpy as np

import jaxkeras as jk
from jaxkeras import layers
from jaxkeras.utils import plot_history


def main() -> None:
    jk.utils.set_random_seed(0)
    out = pathlib.Path("quickstart")
    out.mkdir(exist_ok=True)

    (x_train, y_train), (x_test, y_test) = jk.datasets.digits.load_data()

    model = jk.Sequential(
        [
            jk.Input((8, 8)),
            layers.Rescaling(1 / 16),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )
    model.summary()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

    start = time.perf_counter()
    history = model.fit(x_train, y_train, epochs=12, validation_split=0.1)
    seconds = time.perf_counter() - start

    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    guesses = model.predict(x_test, verbose=0).argmax(axis=1)
    model.save(out / "digits.keras")
    again = jk.models.load_model(out / "digits.keras")
    np.testing.assert_array_equal(again.predict(x_test, verbose=0).argmax(axis=1), guesses)
    plot_history(history, to_file=out / "learning_curves.png")

    report = "\n".join(
        [
            "",
            f"Trained {model.count_params():,} parameters on {len(x_train):,} images in {seconds:.1f} s.",
            f"Test accuracy {accuracy:.1%} (loss {loss:.3f}) on {len(x_test)} unseen images.",
            f"One of them, a {y_test[0]}, which the model classifies as {guesses[0]}:",
            *("    " + "".join(" .:-=+*#%@"[int(v) * 9 // 16] * 2 for v in row) for row in x_test[0]),
            "Written to quickstart/: digits.keras, learning_curves.png, report.txt",
        ]
    )
    (out / "report.txt").write_text(report.lstrip() + "\n")
    print(report)


if __name__ == "__main__":
    main()
