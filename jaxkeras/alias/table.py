"""Which modules and names of Keras's private package `keras.src` exist through the alias, and what they stand for."""

from __future__ import annotations

#: Private module -> public namespaces of jaxkeras in which its names are searched, in order; `""` is jaxkeras itself.
#: A module without a row uses those of its parent, after the one of its own name there: `datasets.mnist`, `ops.nn`.
NAMESPACES: dict[str, tuple[str, ...]] = {
    "": ("",),
    "activations": ("activations",),
    "applications": ("applications",),
    "backend": ("backend", "config", "", "ops", "random", "utils"),
    "backend.common": ("backend", "config", "", "utils"),
    "backend.jax": ("ops", "random"),
    **{
        f"backend{jax}.{name}": (f"ops.{name}", "ops")
        for jax in ("", ".jax")
        for name in ("image", "linalg", "nn", "numpy")
    },
    **{f"backend{jax}.{name}": ("ops", "backend", "") for jax in ("", ".jax") for name in ("core", "math")},
    **{f"backend{jax}.random": ("random",) for jax in ("", ".jax")},
    "callbacks": ("callbacks",),
    "constraints": ("constraints",),
    "datasets": ("datasets",),
    "distillation": ("distillation",),
    "distribution": ("distribution",),
    "dtype_policies": ("dtype_policies", "config"),
    "initializers": ("initializers",),
    "layers": ("layers",),
    "legacy.saving": ("saving", "models"),
    "losses": ("losses",),
    "metrics": ("metrics",),
    "models": ("models",),
    "ops": ("ops", ""),
    "optimizers": ("optimizers",),
    "preprocessing": ("preprocessing",),
    "random": ("random",),
    "regularizers": ("regularizers",),
    "saving": ("saving", "models"),
    "trainers": ("",),
    "trainers.data_adapters": ("utils",),
    "tree": ("tree",),
    "utils": ("utils", "config"),
    "visualization": ("visualization",),
    "wrappers": ("wrappers",),
}

_OTHER_MODULES = {
    "": "api_export distribution legacy testing version",
    "activations": "activations",
    "applications": "imagenet_utils",
    "backend": "config",
    "backend.common": "backend_utils dtypes global_state masking tensor_attributes variables",
    "backend.jax": "sparse",
    "callbacks": "monitor_callback",
    "constraints": "constraints",
    "distillation": "distillation_loss",
    "distribution": "distribution_lib",
    "initializers": "constant_initializers random_initializers",
    "layers": "activations attention convolutional core merging normalization pooling preprocessing regularization "
    "reshaping rnn",
    "layers.convolutional": "base_conv base_conv_transpose base_depthwise_conv base_separable_conv",
    "layers.core": "input_layer lambda_layer",
    "layers.merging": "base_merge",
    "layers.pooling": "base_pooling base_global_pooling",
    "layers.preprocessing": "data_layer feature_space index_lookup tf_data_layer image_preprocessing",
    "layers.preprocessing.image_preprocessing": "base_image_preprocessing_layer",
    "layers.rnn": "conv_lstm dropout_rnn_cell",
    "legacy": "backend preprocessing saving",
    "legacy.saving": "legacy_h5_format serialization saving_utils",
    "losses": "losses",
    "metrics": "accuracy_metrics confusion_metrics correlation_metrics f_score_metrics hinge_metrics iou_metrics "
    "metrics_utils probabilistic_metrics reduction_metrics regression_metrics",
    "models": "cloning",
    "ops": "core math node operation_utils einops",
    "optimizers": "base_optimizer",
    "optimizers.schedules": "learning_rate_schedule",
    "random": "random",
    "regularizers": "regularizers",
    "saving": "keras_saveable object_registration saving_api saving_lib serialization_lib",
    "testing": "test_case test_utils",
    "trainers": "data_adapters trainer",
    "trainers.data_adapters": "data_adapter data_adapter_utils py_dataset_adapter array_slicing",
    "tree": "tree_api",
    "utils": "argument_validation audio_dataset_utils backend_utils config dtype_utils file_utils image_dataset_utils "
    "image_utils io_utils jax_utils model_visualization module_utils naming numerical_utils progbar python_utils "
    "rng_utils sequence_utils summary_utils text_dataset_utils timeseries_dataset_utils traceback_utils tracking",
    "wrappers": "sklearn_wrapper",
}
#: Private modules that neither have a row above nor the name of something public.
PACKAGES = {f"{parent}.{name}".removeprefix(".") for parent, names in _OTHER_MODULES.items() for name in names.split()}

# Private name -> what it stands for. The packages around a module have its names too, as most of Keras's do.
_PRIVATE_NAMES = {
    "activations.ALL_OBJECTS_DICT": "jaxkeras.alias.counterparts.activation_functions",
    "api_export.keras_export": "jaxkeras.alias.counterparts.keras_export",
    "applications.imagenet_utils.correct_pad": "jaxkeras.applications.common.correct_pad",
    "applications.imagenet_utils.obtain_input_shape": "jaxkeras.alias.counterparts.obtain_input_shape",
    "applications.imagenet_utils.validate_activation": "jaxkeras.alias.counterparts.validate_activation",
    "backend.common.variables.KerasVariable": "jaxkeras.core.variable.Variable",
    "backend.jax.random.jax_draw_seed": "jaxkeras.core.seeds.draw_key",
    "backend.random.draw_seed": "jaxkeras.core.seeds.draw_key",
    "callbacks.monitor_callback.MonitorCallback": "jaxkeras.callbacks.monitor.MonitorCallback",
    "layers.convolutional.base_conv.BaseConv": "jaxkeras.layers.convolutional.conv._Conv",
    "layers.convolutional.base_conv_transpose.BaseConvTranspose": (
        "jaxkeras.layers.convolutional.transpose._ConvTranspose"
    ),
    "layers.convolutional.base_depthwise_conv.BaseDepthwiseConv": (
        "jaxkeras.layers.convolutional.depthwise._DepthwiseConv"
    ),
    "layers.convolutional.base_separable_conv.BaseSeparableConv": (
        "jaxkeras.layers.convolutional.separable._SeparableConv"
    ),
    "layers.merging.base_merge.Merge": "jaxkeras.layers.merging.base.Merge",
    "layers.pooling.base_global_pooling.BaseGlobalPooling": "jaxkeras.layers.pooling.global_pooling._GlobalPooling",
    "layers.pooling.base_pooling.BasePooling": "jaxkeras.layers.pooling.base.Pooling",
    "layers.preprocessing.data_layer.DataLayer": "jaxkeras.layers.Layer",
    "layers.preprocessing.tf_data_layer.TFDataLayer": "jaxkeras.layers.Layer",
    "layers.rnn.dropout_rnn_cell.DropoutRNNCell": "jaxkeras.layers.recurrent.dropout_cell.DropoutRNNCell",
    "models.functional.Functional": "jaxkeras.models.Functional",
    "ops.node.Node": "jaxkeras.core.symbolic.Node",
    "optimizers.base_optimizer.BaseOptimizer": "jaxkeras.optimizers.Optimizer",
    "ops.operation_utils.compute_conv_output_shape": "jaxkeras.alias.counterparts.compute_conv_output_shape",
    "ops.operation_utils.compute_pooling_output_shape": "jaxkeras.alias.counterparts.compute_pooling_output_shape",
    "random.seed_generator.draw_seed": "jaxkeras.core.seeds.draw_key",
    "random.seed_generator.global_seed_generator": "jaxkeras.core.seeds.global_seed_generator",
    "random.seed_generator.make_default_seed": "jaxkeras.core.seeds.make_default_seed",
    "saving.saving_lib.H5IOStore": "jaxkeras.alias.saving_lib.H5IOStore",
    "saving.saving_lib.load_model": "jaxkeras.saving.load_model",
    "saving.saving_lib.load_weights_only": "jaxkeras.saving.load_weights",
    "saving.saving_lib.save_model": "jaxkeras.alias.saving_lib.save_model",
    "saving.saving_lib.save_weights_only": "jaxkeras.saving.save_weights",
    "saving.serialization_lib.in_safe_mode": "jaxkeras.alias.counterparts.in_safe_mode",
    "testing.test_case.TestCase": "jaxkeras.alias.testing.TestCase",
    "testing.test_utils.named_product": "jaxkeras.alias.testing.named_product",
    "trainers.data_adapters.data_adapter_utils.class_weight_to_sample_weights": (
        "jaxkeras.data.weights.class_weight_to_sample_weight"
    ),
    "trainers.data_adapters.data_adapter_utils.train_validation_split": "jaxkeras.data.utils.train_validation_split",
    "trainers.trainer.Trainer": "jaxkeras.models.trainer.Trainer",
    "utils.argument_validation.standardize_tuple": "jaxkeras.alias.counterparts.standardize_tuple",
    "utils.argument_validation.standardize_padding": "jaxkeras.alias.counterparts.standardize_padding",
    "utils.backend_utils.in_grain_data_pipeline": "jaxkeras.alias.counterparts.in_grain_data_pipeline",
    "utils.backend_utils.in_tf_graph": "jaxkeras.alias.counterparts.in_grain_data_pipeline",
    "utils.image_utils.smart_resize": "jaxkeras.utils.images.smart_resize",
    "utils.io_utils.print_msg": "jaxkeras.alias.counterparts.print_msg",
    **{
        f"utils.module_utils.{name}": f"jaxkeras.alias.optional_modules.{name}"
        for name in "LazyModule tensorflow gfile tensorflow_io scipy jax h5py optree grain".split()
    },
    "utils.naming.auto_name": "jaxkeras.core.names.auto_name",
    "utils.naming.get_uid": "jaxkeras.core.names.get_uid",
    "utils.naming.to_snake_case": "jaxkeras.core.names.to_snake_case",
    "utils.tracking.no_automatic_dependency_tracking": ("jaxkeras.alias.counterparts.no_automatic_dependency_tracking"),
}


def _with_packages(names: dict[str, str]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for path, counterpart in names.items():
        module, _, name = path.rpartition(".")
        while module:
            found.setdefault((module, name), counterpart)
            module = module.rpartition(".")[0]
    return found


#: (private module, name) -> the dotted path of what it stands for.
COUNTERPARTS = _with_packages(_PRIVATE_NAMES)
