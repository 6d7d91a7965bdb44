"""Runs real Keras: loads the models of a folder, predicts, and writes its own files.

For each `ours/<name>.keras`, `.h5` and `.weights.h5` it writes `theirs/<name>.<ending>.npz` with predictions and
optimizer variables; from each `.keras` file it also saves the model in all formats as `theirs/<name>.<ending>`.
"""

import json
import pathlib
import sys
import traceback

import numpy as np


def main(folder: pathlib.Path) -> None:
    import keras

    theirs = folder / "theirs"
    theirs.mkdir()
    errors = {}
    for path in sorted((folder / "ours").glob("*.keras")):
        name = path.stem
        with np.load(folder / "ours" / f"{name}.npz") as stored:
            data = {key: stored[key] for key in stored.files}
        model = None
        for ending in ("keras", "h5", "weights.h5"):
            source = folder / "ours" / f"{name}.{ending}"
            if not source.exists():
                continue
            try:
                if ending == "weights.h5":
                    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
                    model.load_weights(source)
                    loaded = model
                else:
                    loaded = keras.saving.load_model(source)
                if ending == "keras":
                    model = loaded
                outputs = keras.tree.flatten(loaded(data if len(data) > 1 else next(iter(data.values()))))
                result = {f"output_{i}": np.asarray(y, "float32") for i, y in enumerate(outputs)}
                if getattr(loaded, "optimizer", None) is not None:
                    state = [np.asarray(v) for v in loaded.optimizer.variables]
                    result |= {f"optimizer_{i}": v for i, v in enumerate(state)}
                np.savez(theirs / f"{name}.{ending}.npz", **result)
                if ending == "keras":
                    for other in ("keras", "h5", "weights.h5"):
                        if (folder / "ours" / f"{name}.{other}").exists():
                            save = model.save_weights if other == "weights.h5" else model.save
                            save(theirs / f"{name}.{other}")
            except Exception:
                errors[f"{name}.{ending}"] = traceback.format_exc()[-1500:]
                if ending == "keras":
                    break
    (folder / "errors.json").write_text(json.dumps(errors))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
