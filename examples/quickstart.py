"""Train a small convolutional network on handwritten digits, and look at what it has learned.

Writes a page with pictures (`quickstart/index.html`), the model and a report to `quickstart/`, and opens the page if
run in a terminal of a desktop.
"""

import os
import pathlib
import sys
import time
import webbrowser

import jax
import jax.numpy as jnp
import numpy as np

import jaxkeras as jk
from jaxkeras import layers, visualization

SHADES = " .:-=+*#%@"
OUT = pathlib.Path("quickstart")
PICTURES = {
    "learning_curves.png": "Learning curves",
    "worst.png": "Worst examples: the true digits got the least probability",
    "evidence.png": "Evidence: where ink speaks for the digit (red) and against it (blue), one gradient per image",
    "confusion.png": "Which digits are taken for which",
}
PAGE = """<!doctype html><meta charset="utf-8"><title>jaxkeras: quickstart</title>
<style>
  body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 960px; margin: 40px auto; padding: 0 16px; color: #1a202c;
    background: #fff; }}
  img {{ max-width: 100%; max-height: 460px; }} h2 {{ font-size: 18px; margin: 32px 0 8px; }}
  pre {{ background: #f1f4f8; padding: 12px; }}
</style>
<h1>A model that reads digits</h1><p>{summary}</p>
{pictures}
<h2>Go on</h2><p>The program is examples/quickstart.py. This continues with the trained model:</p>
<pre>import jaxkeras as jk
model = jk.models.load_model("quickstart/digits.keras")</pre>
"""


def drawing(images: np.ndarray) -> str:
    """Images of values up to 16 as text, side by side."""
    lines = ["   ".join("".join(SHADES[int(v) * 9 // 16] * 2 for v in row) for row in rows) for rows in zip(*images)]
    return "\n".join(lines)


def evidence(model: jk.Model, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Pictures of how the log-probability of each label changes with each pixel, up in red, down in blue."""

    def log_probability(image: jax.Array, label: jax.Array) -> jax.Array:
        probabilities, _ = model.apply(model.params, model.state, image[None])
        return jnp.log(probabilities[0, label])

    gradients = jax.vmap(jax.grad(log_probability))(jnp.asarray(images, "float32"), jnp.asarray(labels))
    g = np.asarray(gradients / jnp.abs(gradients).max(axis=(1, 2), keepdims=True))
    return np.stack([1 - np.maximum(-g, 0), 1 - np.abs(g), 1 - np.maximum(g, 0)], axis=-1)


def main() -> None:
    jk.utils.set_random_seed(0)
    OUT.mkdir(exist_ok=True)
    (x_train, y_train), (x_test, y_test) = jk.datasets.digits.load_data()
    print(f"{len(x_train):,} handwritten digits to learn from, such as {', '.join(map(str, y_train[:4]))}:\n")
    print(drawing(x_train[:4]), flush=True)

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
    probabilities = model.predict(x_test, verbose=0)
    model.save(OUT / "digits.keras")
    again = jk.models.load_model(OUT / "digits.keras")
    np.testing.assert_array_equal(again.predict(x_test, verbose=0), probabilities)

    jk.utils.plot_history(history, to_file=OUT / "learning_curves.png")
    visualization.plot_predictions(
        x_test, y_test, probabilities, worst_first=True, count=10, path=OUT / "worst.png"
    )
    visualization.plot_confusion_matrix(y_test, probabilities, path=OUT / "confusion.png")
    ten = evidence(model, x_test[:10], y_test[:10])
    visualization.plot_image_gallery(ten, rows=1, value_range=(0, 1), path=OUT / "evidence.png")

    summary = (
        f"Trained {model.count_params():,} parameters on {len(x_train):,} images in {seconds:.1f} s. "
        f"Test accuracy {accuracy:.1%} (loss {loss:.3f}) on {len(x_test)} unseen images."
    )
    pictures = "".join(f'<h2>{title}</h2><img src="{name}" alt="{title}">\n' for name, title in PICTURES.items())
    page = OUT / "index.html"
    page.write_text(PAGE.format(summary=summary, pictures=pictures))
    (OUT / "report.txt").write_text(summary + "\n")
    print(f"\n{summary}\nOf the last ones, a {y_test[-1]} is read as {probabilities[-1].argmax()}:")
    print(drawing(x_test[-1:]))
    print(f"\nWritten to quickstart/: digits.keras, report.txt, and a page with pictures: {page.resolve().as_uri()}")
    desktop = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if sys.stdout.isatty() and desktop:
        webbrowser.open(page.resolve().as_uri())


if __name__ == "__main__":
    main()
